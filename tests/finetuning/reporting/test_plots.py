"""What the plots of a report are given to draw: in percent, with the figures to compare with."""

from typing import Any

import pytest
from markupsafe import Markup

from finetuning.reporting import plots
from pages.intervals import Estimate, Reference, Row

CONSTANT = Reference("the best constant answer", 25.0, "dash")
HOLLOW, FULL = Reference("BERT-Base in the paper", 88.5, "hollow"), Reference("BERT-Large in the paper", 90.5, "full")


def figure(size: str, split: str, percent: float, ours: str = "f1") -> dict[str, Any]:
    return {"size": size, "split": split, "percent": percent, "ours": ours}


def interval(low: float, high: float) -> dict[str, float]:
    return {"low": low, "high": high}


def setting(text: str, mean: float, over: dict[str, float] | None, *scores: float) -> dict[str, Any]:
    return {"setting": text, "summary": {"mean": mean, "interval": over}, "scores": list(scores)}


def task(*published: dict[str, Any]) -> dict[str, Any]:
    """Two models, of which the second has one seed."""
    one, two = setting("s1", 0.5, interval(0.25, 0.75), 0.25, 0.75), setting("s2", 0.625, None, 0.625)
    models = [
        {"label": "a", "best_setting": one, "interval": interval(0.125, 0.875), "settings": [one, two]},
        {"label": "b", "best_setting": two, "interval": None, "settings": [two]},
    ]
    return {"task": "t", "metric": "f1", "constant_score": 0.25, "models": models, "published": list(published)}


@pytest.fixture
def drawn(monkeypatch: pytest.MonkeyPatch) -> list[tuple[str, list[Row], dict[str, str]]]:
    """What each figure is made of."""
    found: list[tuple[str, list[Row], dict[str, str]]] = []

    def note(caption: str, rows: list[Row], **options: str) -> Markup:
        found.append((caption, rows, options))
        return Markup("drawn")

    monkeypatch.setattr(plots, "intervals", note)
    return found


def test_the_overview_has_a_row_a_task(drawn: list[tuple[str, list[Row], dict[str, str]]]) -> None:
    first = task(figure("Base", "dev", 88.5), figure("Large", "dev", 90.5))
    assert plots.overview([first, task()]) == Markup("drawn")
    ((caption, rows, options),) = drawn
    estimates = [
        Estimate("a", 50.0, (12.5, 87.5), (), series=0),
        Estimate("b", 62.5, None, (), series=1),
    ]
    assert caption == "Scores by task (percent)"
    assert rows == [
        Row("t", estimates, [CONSTANT, HOLLOW, FULL], "f1; paper: dev"),
        Row("t", estimates, [CONSTANT], "f1"),
    ]
    assert "Dots: means of the best settings" in options["note"]


def test_the_settings_have_a_row_each_with_their_seeds(drawn: list[tuple[str, list[Row], dict[str, str]]]) -> None:
    assert plots.scores_by_setting(task(figure("Base", "dev", 88.5))) == Markup("drawn")
    ((caption, rows, options),) = drawn
    assert caption == "t: f1 by setting (percent)"
    assert rows == [
        Row("a", [Estimate("a", 50.0, (25.0, 75.0), [25.0, 75.0], 0)], [CONSTANT, HOLLOW], "s1"),
        Row("a", [Estimate("a", 62.5, None, [62.5], 0)], [CONSTANT, HOLLOW], "s2"),
        Row("b", [Estimate("b", 62.5, None, [62.5], 1)], [CONSTANT, HOLLOW], "s2"),
    ]
    assert "Rings: seeds" in options["note"]


@pytest.mark.parametrize(
    ("published", "references", "note"),
    [
        # On dev where there is one, of each size by itself.
        (
            [figure("Base", "test", 1.0), figure("Large", "test", 90.5), figure("Base", "dev", 88.5)],
            [FULL, HOLLOW],
            "f1; paper: test, dev",
        ),
        ([figure("Base", "test", 88.5), figure("Large", "test", 90.5)], [HOLLOW, FULL], "f1; paper: test"),
        # Of the task's main metric alone.
        ([figure("Base", "dev", 88.5), figure("Large", "dev", 1.0, "accuracy")], [HOLLOW], "f1; paper: dev"),
        ([figure("Base", "dev", 1.0, "accuracy"), figure("Base", "test", 88.5)], [HOLLOW], "f1; paper: test"),
    ],
)
def test_which_published_figures_stand_beside(
    drawn: list[tuple[str, list[Row], dict[str, str]]],
    published: list[dict[str, Any]],
    references: list[Reference],
    note: str,
) -> None:
    plots.overview([task(*published)])
    (row,) = drawn[0][1]
    assert (row.references, row.note) == ([CONSTANT, *references], note)
