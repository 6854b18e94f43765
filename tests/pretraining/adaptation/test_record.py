"""Options may be corrected until something depends on them, and then no more."""

from pathlib import Path

import pytest

from preprocessing.errors import PreprocessingError
from pretraining.adaptation.layout import Layout
from pretraining.adaptation.record import RECORD_NAME, claim, settle
from pretraining.errors import PretrainingError

OPTIONS = {"epochs": 3.0, "text": ("a", "b")}


def begin(folder: Path) -> Layout:
    layout = Layout(folder)
    folder.mkdir()
    claim(layout, OPTIONS)
    layout.shards.mkdir()
    return layout


def test_the_same_options_go_on(tmp_path: Path) -> None:
    layout = begin(tmp_path / "out")
    record = claim(layout, OPTIONS)
    assert layout.shards.is_dir()
    settle(layout, record, {"your text": "f"})
    assert claim(layout, OPTIONS).shards == {"your text": "f"}


def test_options_are_corrected_before_they_are_settled(tmp_path: Path) -> None:
    layout = begin(tmp_path / "out")
    record = claim(layout, {**OPTIONS, "epochs": 2.0})
    assert not layout.shards.exists()
    assert record.options["epochs"] == 2.0


def test_other_options_are_refused_later(tmp_path: Path) -> None:
    layout = begin(tmp_path / "out")
    settle(layout, claim(layout, OPTIONS), {"your text": "f"})
    with pytest.raises(PretrainingError, match=r"other options \(epochs: 3.0 → 2.0, text: a, b → a\); give these"):
        claim(layout, {"epochs": 2.0, "text": ["a"]})
    assert layout.shards.is_dir()


def test_other_shards_are_refused(tmp_path: Path) -> None:
    layout = begin(tmp_path / "out")
    settle(layout, claim(layout, OPTIONS), {"your text": "f", "general text": "g"})
    record = claim(layout, OPTIONS)
    settle(layout, record, {"your text": "f", "general text": "g"})
    with pytest.raises(PretrainingError, match="general text: the shards are not those"):
        settle(layout, record, {"your text": "f", "general text": "h"})


def test_somebody_elses_folder(tmp_path: Path) -> None:
    (tmp_path / "thesis.tex").write_text("x")
    with pytest.raises(PreprocessingError, match=rf"no {RECORD_NAME} says .*thesis.tex"):
        claim(Layout(tmp_path), OPTIONS)


def test_a_damaged_record(tmp_path: Path) -> None:
    (tmp_path / RECORD_NAME).write_text("{")
    with pytest.raises(PretrainingError, match="damaged"):
        claim(Layout(tmp_path), OPTIONS)
