"""The model to start from is the one that was given, with a row for each new piece and every head."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
import transformers
from safetensors.torch import load_file, save_file

from preprocessing.tokens.tokenizer import Tokenizer
from pretraining.adaptation.source_model import find_model
from pretraining.adaptation.start_model import Extension, with_new_pieces, write_start
from pretraining.adaptation.vocabulary import with_words
from pretraining.model.huggingface import import_bert

WORD, BIAS = "bert.embeddings.word_embeddings.weight", "cls.predictions.bias"


def test_without_new_pieces_the_weights_stay(model_folder: Path, tmp_path: Path) -> None:
    write_start(find_model(str(model_folder)), tmp_path / "start", 1, None)
    before, after = load_file(model_folder / "model.safetensors"), load_file(tmp_path / "start" / "model.safetensors")
    assert before.keys() == after.keys()
    assert all(torch.equal(before[name], after[name]) for name in before)
    assert Tokenizer.load(tmp_path / "start").fingerprint == Tokenizer.load(model_folder).fingerprint
    steps = json.loads((tmp_path / "start" / "lineage.json").read_text())["steps"]
    assert [step["step"] for step in steps] == ["given", "start of an adaptation"]
    assert steps[-1]["new pieces"] == 0
    assert steps[-1]["drawn at random"] == []


@pytest.mark.parametrize(("more_rows", "rows"), [(0, 1), (1, 1), (3, 3)])
def test_a_new_piece_is_the_mean_of_its_parts(
    make_model: Callable[..., Path], letters: Tokenizer, tmp_path: Path, more_rows: int, rows: int
) -> None:
    folder = make_model(tmp_path / "model", more_rows)
    extended, ids = with_words(letters, ["elinor", "cat", "dog"])
    extended.save(tmp_path / "pieces", 32)
    parts = {
        index: letters.backend.encode(word, add_special_tokens=False).ids
        for index, word in zip(ids, ("elinor", "cat", "dog"), strict=True)
    }
    write_start(find_model(str(folder)), tmp_path / "start", 1, Extension(tmp_path / "pieces", parts))
    before, after = load_file(folder / "model.safetensors"), load_file(tmp_path / "start" / "model.safetensors")
    assert len(after[WORD]) == len(after[BIAS]) == letters.vocabulary_size + rows  # two took the place of unused ones
    for index, of in parts.items():
        assert torch.allclose(after[WORD][index], before[WORD][of].mean(0), atol=1e-7)
        assert torch.allclose(after[BIAS][index], before[BIAS][of].mean(), atol=1e-7)
    others = [index for index in range(letters.vocabulary_size) if index not in ids]
    for name in before:
        chosen = others if name in (WORD, BIAS, "cls.predictions.decoder.weight") else slice(None)
        assert torch.equal(before[name][chosen], after[name][chosen]), name
    model = transformers.BertForPreTraining.from_pretrained(tmp_path / "start")
    assert model.config.vocab_size == letters.vocabulary_size + rows
    theirs = transformers.AutoTokenizer.from_pretrained(tmp_path / "start")
    assert theirs("elinor dog", add_special_tokens=False)["input_ids"] == [ids[0], ids[2]]


def test_the_decoder_stays_tied(model_folder: Path) -> None:
    model = import_bert(model_folder)
    grown = with_new_pieces(model, {len(model.mlm_head.decoder_bias) + 1: [7, 8]})
    assert grown.mlm_head.decoder_weight is grown.bert.embeddings.word.weight
    assert torch.equal(grown.bert.embeddings.word.weight[-2], torch.zeros(32))  # no piece has this id


def test_absent_heads_depend_on_the_seed_alone(model_folder: Path, tmp_path: Path) -> None:
    folder = tmp_path / "encoder"
    shutil.copytree(model_folder, folder)
    weights = load_file(folder / "model.safetensors")
    left = {name: tensor for name, tensor in weights.items() if not name.startswith("cls.")}
    save_file(left, folder / "model.safetensors")
    source = find_model(str(folder))
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        torch.rand(3)
        write_start(source, tmp_path / name, seed, None)
    a, b, c = (load_file(tmp_path / name / "model.safetensors") for name in "abc")
    head = "cls.predictions.transform.dense.weight"
    assert torch.equal(a[head], b[head])
    assert not torch.equal(a[head], c[head])
    assert torch.equal(a[WORD], weights[WORD])
    step = json.loads((tmp_path / "a" / "lineage.json").read_text())["steps"][-1]
    assert step["drawn at random"] == ["the head for masked tokens", "the head for next sentences"]
