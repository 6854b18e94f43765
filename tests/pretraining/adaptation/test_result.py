"""The table says what was measured, and each note only where it is true."""

import json
from pathlib import Path
from typing import Any

import pytest

from pretraining.adaptation.result import as_markdown, as_text, lines_of, notes_of, read_figures, read_result
from pretraining.errors import PretrainingError


def figures(loss: float, error: float | None = 0.01) -> dict[str, Any]:
    return {
        "mlm_loss": loss,
        "mlm_loss_error": error,
        "mlm_accuracy": 0.5,
        "mlm_accuracy_error": None,
        "nsp_loss": 0.6,
        "nsp_accuracy": 0.7,
    }


def result(**changes: Any) -> dict[str, Any]:
    return {
        "model": "a|b",
        "drawn_at_random": [],
        "objective": "next-sentence",
        "steps": 12,
        "mixture": {"own": 90, "general": 500, "general_drawn": 10},
        "replay": ["r"],
        "heldout_documents": 5,
        "held_out": {
            "your text": {"before": figures(3.0), "after": figures(2.5)},
            "general text": {"before": figures(2.0), "after": figures(2.25, None)},
        },
        **changes,
    }


def test_the_table() -> None:
    rows = as_text(result()).split("\n\n")[0].split("\n")
    assert [row.split("  ")[0] for row in rows[1:]] == ["your text"] * 4 + ["general text"] * 4
    assert "masked tokens: loss, nats  3.0000 ± 0.0100  2.5000 ± 0.0100  -0.5000" in rows[1]
    assert "2.0000 ± 0.0100  2.2500           +0.2500" in rows[5]
    assert len({row.index("loss, nats") for row in rows if "masked tokens: loss" in row}) == 1


def test_without_pairs_there_are_no_figures_of_pairs() -> None:
    lines = lines_of(result(objective="none"))
    assert [line.figure for line in lines] == ["masked tokens: loss, nats", "masked tokens: accuracy"] * 2


PIECES = {"words": [{"word": f"w{n}"} for n in range(9)], "pieces_per_word": {"before": 1.25, "after": 1.1}}
ONE_TEXT = {"your text": result()["held_out"]["your text"]}


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"drawn_at_random": ["the a", "the b", "the c"]}, "The model lacked the a, the b and the c, which"),
        ({"drawn_at_random": ["the a"]}, "The model lacked the a, which started at random"),
        ({"objective": "none"}, "single segments"),
        ({"held_out": ONE_TEXT, "replay": []}, "not measured: there is no --replay"),
        ({"held_out": ONE_TEXT}, "the general text has no held-out examples"),
        ({"mixture": {"own": 90, "general": 5, "general_drawn": 10}}, "more than once an epoch"),
        ({"heldout_documents": 1}, "A single document"),
        ({"new_pieces": PIECES}, "9 new pieces (w0, w1, w2, w3, w4, w5, w6, w7, …): 1.250 pieces a word"),
    ],
)
def test_notes(changes: dict[str, Any], sentence: str) -> None:
    (note,) = notes_of(result(**changes))
    assert sentence in note
    assert f"- {note}" in as_text(result(**changes))
    assert note.split("(")[0] in as_markdown(result(**changes))


def test_nothing_to_note() -> None:
    assert notes_of(result()) == []


def test_the_section_of_the_card() -> None:
    text = as_markdown(result())
    assert r"Adapted from a\|b in 12 steps; an epoch has 90 examples of the text to adapt to and 10 of general" in text
    assert "| general text | masked tokens: loss, nats | 2.0000 ± 0.0100 | 2.2500 | +0.2500 |" in text


def test_files(tmp_path: Path) -> None:
    file = tmp_path / "figures.json"
    file.write_text(json.dumps({"all": figures(1.0), "books": figures(2.0)}))
    assert read_figures(file)["mlm_loss"] == 1.0
    file.write_text("{}")
    with pytest.raises(PretrainingError, match="damaged"):
        read_figures(file)
    file.write_text("[1]")
    with pytest.raises(PretrainingError, match="damaged"):
        read_result(file)
