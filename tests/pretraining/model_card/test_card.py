"""A card survives whatever its texts hold, is known again, and never takes the place of another's file."""

from pathlib import Path

import pytest
from huggingface_hub import ModelCard
from hypothesis import example, given
from hypothesis import strategies as st

from pretraining.model_card.card import Card, Score, is_ours, write_card


def card(text: str = "a name", value: float = 0.5) -> Card:
    return Card(
        name=text,
        summary="What it is.",
        sections=(("One", "first  \nline"), ("Empty", " "), ("Two", "second")),
        pipeline_tag="fill-mask",
        languages=("en",),
        datasets=(text,),
        scores=(Score("mlm_loss", value, text, text, "heldout", text),),
    )


@example("\x85a\u2028b\u2029", 0.5)
@given(st.text(alphabet=st.characters(codec="utf-8"), min_size=1), st.floats(allow_nan=False, allow_infinity=False))
def test_any_text_and_number_comes_back(text: str, value: float) -> None:
    read = ModelCard(card(text, value).text(), ignore_metadata_errors=False)
    (score,) = read.data.eval_results
    assert (score.dataset_name, score.dataset_type, score.dataset_config) == (text, text, text)
    assert (score.metric_value, read.data.datasets, read.data.model_name) == (value, [text], text)


def test_the_form() -> None:
    text = card().text()
    assert text.startswith("---\nlanguage:\n- en\nlicense: unknown\nlibrary_name: transformers\n")
    assert "\n# a name\n\nWhat it is.\n\n## One\n\nfirst\nline\n\n## Two\n\nsecond\n\n<!-- model card of" in text
    assert card().text() == text


def test_half_a_character_does_no_harm(tmp_path: Path) -> None:
    """As the name of a file may have that is not UTF-8."""
    path = write_card(tmp_path, Card("a", "path \udce4", (), "fill-mask"))
    assert path is not None
    assert "path ?" in path.read_text(encoding="utf-8")
    assert is_ours(path)


@pytest.mark.parametrize(
    ("old", "new"),
    [("What it is.", "What it was."), ("license: unknown", "license: mit"), ("-->\n", "-->\nMore.\n"), ("", None)],
)
def test_an_edited_card_is_its_editors(old: str, new: str | None, tmp_path: Path) -> None:
    path = write_card(tmp_path, card())
    assert path == tmp_path / "README.md"
    assert is_ours(path)
    assert write_card(tmp_path, card("another")) == path
    mine = "mine\n" if new is None else path.read_text().replace(old, new)
    path.write_text(mine)
    assert not is_ours(path)
    second = write_card(tmp_path, card())
    assert second == tmp_path / "MODEL_CARD.md"
    assert path.read_text() == mine
    second.write_text("mine too\n")
    assert write_card(tmp_path, card()) is None
    assert (path.read_text(), second.read_text()) == (mine, "mine too\n")


def test_what_is_no_text_is_somebody_elses(tmp_path: Path) -> None:
    (tmp_path / "README.md").write_bytes(b"\xff\xfe")
    assert write_card(tmp_path, card()) == tmp_path / "MODEL_CARD.md"
    assert (tmp_path / "README.md").read_bytes() == b"\xff\xfe"
