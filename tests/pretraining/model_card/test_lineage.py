"""The steps that led to a model: taken over, extended, and never believed of other weights."""

import json
from pathlib import Path

import pytest

from pretraining.model_card.lineage import as_list, languages, read_lineage, weights_hash, write_lineage

FIRST = {"step": "pretraining", "languages": ["de", "en"], "packages": {"torch": "2"}, "revision": None}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "model.safetensors").write_bytes(b"weights")
    write_lineage(tmp_path, [], FIRST)
    return tmp_path


def test_steps_are_taken_over(folder: Path, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.mkdir()
    (other / "model.safetensors").write_bytes(b"more")
    write_lineage(other, read_lineage(folder), {"step": "fine-tuning", "languages": ["fr", "en"]})
    steps = read_lineage(other)
    assert [step["step"] for step in steps] == ["pretraining", "fine-tuning"]
    assert [step["weights"] for step in steps] == [weights_hash(folder), weights_hash(other)]
    assert languages(steps) == ("de", "en", "fr")


def test_other_weights_are_said(folder: Path) -> None:
    (folder / "model.safetensors").write_bytes(b"changed")
    steps = read_lineage(folder)
    assert [step["step"] for step in steps] == ["pretraining", "changed by other means"]
    assert steps[1]["weights"] == weights_hash(folder) != steps[0]["weights"]


@pytest.mark.parametrize("content", [None, "{", "[]", '{"format": 2, "steps": [{}]}', '{"format": 1, "steps": [1]}'])
def test_what_is_not_known(content: str | None, folder: Path) -> None:
    (folder / "lineage.json").unlink()
    if content is not None:
        (folder / "lineage.json").write_text(content)
    (step,) = read_lineage(folder)
    assert (step["step"], step["weights"]) == ("given", weights_hash(folder))
    (folder / "model.safetensors").unlink()
    (step,) = read_lineage(folder)
    assert (step["step"], step["weights"]) == ("no longer there", None)


def test_as_a_list(folder: Path) -> None:
    text = as_list([*read_lineage(folder), {"step": "a_b"}])
    digest = weights_hash(folder)
    assert text.splitlines() == [
        "1. pretraining",
        "    - languages: de, en",
        "    - packages: torch 2",
        "    - revision: not known",
        f"    - weights: {digest}",
        "2. a\\_b",
    ]
    assert json.loads((folder / "lineage.json").read_text())["format"] == 1
