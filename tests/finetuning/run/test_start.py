"""Where a run starts from: weights that are numbers, and the tokenizer that belongs to them."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
from safetensors.torch import load_file, save_file

from finetuning.errors import FinetuningError
from finetuning.kinds.loading import load_task
from finetuning.run.specification import RunSpec
from finetuning.run.start import PADDING, load_start


@pytest.fixture
def folder(model_folder: Path, tmp_path: Path) -> Path:
    """A copy of the model with nothing but `vocab.txt` to make its tokenizer of."""
    shutil.copytree(model_folder, tmp_path / "m")
    (tmp_path / "m" / "tokenizer.json").unlink()
    return tmp_path / "m"


@pytest.fixture
def notes(folder: Path) -> Callable[[], tuple[str, ...]]:
    return lambda: load_start(RunSpec(task="cola", model=str(folder), output=folder), load_task("cola")).notes


def test_a_model_with_its_own_tokenizer(notes: Callable[[], tuple[str, ...]]) -> None:
    assert notes() == ()


@pytest.mark.parametrize("number", [float("nan"), float("inf")])
def test_weights_that_are_no_numbers(notes: Callable[[], tuple[str, ...]], folder: Path, number: float) -> None:
    weights = load_file(folder / "model.safetensors")
    name = next(name for name in weights if "word_embeddings" in name)
    weights[name][3, 2] = number
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    with pytest.raises(FinetuningError, match=r"1 of its weights hold NaN or infinity, the first embeddings\.word"):
        notes()


def change_case(folder: Path, *, lowercase: bool, capitals: bool) -> None:
    settings = json.loads((folder / "tokenizer_config.json").read_text())
    (folder / "tokenizer_config.json").write_text(json.dumps({**settings, "do_lower_case": lowercase}))
    if capitals:
        vocabulary = (folder / "vocab.txt").read_text().replace("\nthe\n", "\nThe\n").replace("\ncat\n", "\nCat\n")
        (folder / "vocab.txt").write_text(vocabulary)


def test_the_case_of_another_vocabulary(notes: Callable[[], tuple[str, ...]], folder: Path) -> None:
    change_case(folder, lowercase=False, capitals=False)
    (note,) = notes()
    assert "the tokenizer keeps capitals, but its vocabulary has none, so words with them become [UNK]" in note
    change_case(folder, lowercase=False, capitals=True)
    assert notes() == ()
    change_case(folder, lowercase=True, capitals=True)
    (note,) = notes()
    assert "the tokenizer makes small letters of capitals, but 2 pieces of its vocabulary have capitals" in note


def test_a_tokenizer_of_fewer_pieces_than_the_model(notes: Callable[[], tuple[str, ...]], folder: Path) -> None:
    lines = (folder / "vocab.txt").read_text().splitlines()
    (folder / "vocab.txt").write_text("\n".join(lines[:-20]) + "\n")
    assert notes() == (), "padding of the model's embeddings"
    (folder / "vocab.txt").write_text("\n".join(lines[:-PADDING]) + "\n")
    (note,) = notes()
    assert f"the tokenizer has {len(lines) - PADDING} pieces, the model {len(lines)}" in note
