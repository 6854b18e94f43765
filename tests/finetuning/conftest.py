"""A tiny BERT with a tokenizer of letters, and hand-made data in every benchmark's own layout."""

import csv
import json
import string
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from finetuning.run.result import Result
from finetuning.run.specification import RunSpec
from preprocessing.tokens.tokenizer import Tokenizer
from pretraining.model.bert import BertForPreTraining
from pretraining.model.config import BertConfig
from pretraining.model.huggingface import export_bert

WORDS = "the cat dog sat ran mat house tree is was not who what where red blue green near on in a it he she".split()  # noqa: SIM905


@pytest.fixture(autouse=True)
def _one_thread() -> None:
    torch.set_num_threads(1)


@pytest.fixture(scope="session")
def vocabulary(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """vocab.txt: a few words, and every printable ASCII character with its continuation."""
    characters = list(string.digits + string.ascii_lowercase + string.punctuation)
    entries = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *characters, *(f"##{c}" for c in characters), *WORDS]
    path = tmp_path_factory.mktemp("vocabulary") / "vocab.txt"
    path.write_text("\n".join(dict.fromkeys(entries)) + "\n", encoding="utf-8")
    return path


@pytest.fixture(scope="session")
def tokenizer(vocabulary: Path) -> Tokenizer:
    return Tokenizer.load(vocabulary)


@pytest.fixture(scope="session")
def tiny_config(tokenizer: Tokenizer) -> BertConfig:
    return BertConfig(
        vocab_size=tokenizer.vocabulary_size,
        hidden_size=32,
        num_hidden_layers=4,
        num_attention_heads=2,
        intermediate_size=64,
        max_position_embeddings=384,
    )


@pytest.fixture(scope="session")
def model_folder(tmp_path_factory: pytest.TempPathFactory, tokenizer: Tokenizer, tiny_config: BertConfig) -> Path:
    """A Hugging Face folder with random weights."""
    torch.manual_seed(7)
    folder = tmp_path_factory.mktemp("model")
    export_bert(BertForPreTraining(tiny_config), folder, tokenizer)
    return folder


def _tsv(path: Path, rows: list[list[object]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join("\t".join(map(str, row)) + "\n" for row in rows), encoding="utf-8")


def _glue(folder: Path, header: list[str], train: list[object], test_header: list[str], count: int = 12) -> None:
    """Rows whose last column cycles through `train`'s labels; text columns hold small sentences."""

    def row(names: list[str], number: int, label: object) -> list[object]:
        sentence = f'the {WORDS[number % 8]} {"is" if label in (1, "entailment") else "was not"} "near" {number}'
        fixed = {names[-1]: label} if names is header else {}
        return [fixed.get(name, number if "id" in name.lower() or name == "index" else sentence) for name in names]

    rows = [row(header, number, train[number % len(train)]) for number in range(count)]
    _tsv(folder / "train.tsv", [header, *rows])
    _tsv(folder / "dev.tsv", [header, *rows[:6]])
    _tsv(folder / "test.tsv", [test_header, *(row(test_header, number, None) for number in range(5))])


def _squad(path: Path, version: str, unanswerable: bool) -> None:
    context = "the cat sat on the mat near the house. " * 12 + "he was in Paris in 1999. the dog ran."
    questions = [
        {"id": f"q{number}", "question": question, "answers": [{"text": text, "answer_start": context.index(text)}]}
        for number, (question, text) in enumerate(
            [("where was he?", "Paris"), ("what ran?", "the dog"), ("when?", "1999")]
        )
    ]
    if unanswerable:
        questions = [{**question, "is_impossible": False} for question in questions]
        questions.append({"id": "q9", "question": "who is she?", "answers": [], "is_impossible": True})
    paragraphs = [{"context": context, "qas": questions}]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"version": version, "data": [{"title": "t", "paragraphs": paragraphs}]}))


def _conll(path: Path, sentences: int = 8) -> None:
    """CoNLL-2003 as released: four columns, IOB1 tags, document lines."""
    sentence = "he PRP B-NP O\nran VBD B-VP O\nin IN B-PP O\nParis NNP B-NP I-LOC\nFrance NNP B-NP B-LOC\n. . O O\n\n"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("-DOCSTART- -X- -X- O\n\n" + sentence * sentences + "Ann NNP B-NP I-PER\n\n", encoding="utf-8")


@pytest.fixture(scope="session")
def benchmark_data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the data of every task, a few rows each."""
    root = tmp_path_factory.mktemp("data")
    for name, folder in (("train", "CoLA"), ("dev", "CoLA")):
        rows = [["gj04", number % 2, "*" if number % 2 else "", f'the "cat" sat {number}'] for number in range(12)]
        _tsv(root / folder / f"{name}.tsv", list(rows))
    _tsv(root / "CoLA" / "test.tsv", [["index", "sentence"], *([number, "the cat sat"] for number in range(5))])
    _glue(root / "SST-2", ["sentence", "label"], [0, 1], ["index", "sentence"])
    mrpc = ["#1 ID", "#2 ID", "#1 String", "#2 String"]
    _glue(root / "MRPC", [*mrpc, "Quality"], [1, 1, 0], ["index", *mrpc])
    pair = ["index", "sentence1", "sentence2"]
    _glue(root / "STS-B", [*pair, "score"], [0.5, 2.0, 4.75], pair)
    _glue(root / "QQP", ["id", "question1", "question2", "is_duplicate"], [0, 1], ["id", "question1", "question2"])
    _glue(
        root / "QNLI",
        ["index", "question", "sentence", "label"],
        ["entailment", "not_entailment"],
        ["index", "question", "sentence"],
    )
    _glue(root / "RTE", [*pair, "label"], ["entailment", "not_entailment"], pair)
    _glue(root / "WNLI", [*pair, "label"], [0, 1], pair)
    _glue(root / "MNLI", [*pair, "gold_label"], ["entailment", "neutral", "contradiction"], pair)
    for kind in ("dev", "test"):
        for side in ("matched", "mismatched"):
            (root / "MNLI" / f"{kind}_{side}.tsv").write_bytes((root / "MNLI" / f"{kind}.tsv").read_bytes())
    _tsv(root / "diagnostic" / "diagnostic.tsv", [pair, *([number, "he ran", "she ran"] for number in range(4))])
    full = [[f"he ran {number}", "she ran", label] for number, label in enumerate(["entailment", "neutral", "neutral"])]
    _tsv(root / "diagnostic" / "diagnostic-full.tsv", [["Premise", "Hypothesis", "Label"], *full])
    for name in ("train", "dev"):
        _squad(root / "squad" / f"{name}-v1.1.json", "1.1", False)
        _squad(root / "squad" / f"{name}-v2.0.json", "v2.0", True)
    header = ["", "video-id", "fold-ind", "startphrase", "sent1", "sent2", "gold-source"]
    header += ["ending0", "ending1", "ending2", "ending3", "label"]
    (root / "SWAG").mkdir()
    for name in ("train", "val", "test"):
        columns = header if name != "test" else header[:-1]
        with (root / "SWAG" / f"{name}.csv").open("w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file)
            writer.writerow(columns)
            for number in range(6):
                endings = [f'{verb}, then "left".' for verb in ("ran", "sat", "was", "is")]
                row = [number, "v", 1, "he ran. she", "he ran.", "she", "gold", *endings, number % 4]
                writer.writerow(row[: len(columns)])
    for name in ("eng.train", "eng.testa", "eng.testb"):
        _conll(root / "conll2003" / name)
    for name in ("train.txt", "test.txt"):
        (root / "conll2000").mkdir(exist_ok=True)
        (root / "conll2000" / name).write_text("he PRP B-NP\nran VBD B-VP\n. . O\n\nit PRP B-NP\n\n" * 4)
    rows = [
        {"id": str(number), "text": f"the {WORDS[number]} ran", "labels": ["joy", "love"][: number % 3]}
        for number in range(12)
    ]
    (root / "goemotions").mkdir()
    for name in ("train", "dev", "test"):
        (root / "goemotions" / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return root


@pytest.fixture
def write_lines(tmp_path: Path) -> Callable[..., Path]:
    """Write lines to a file below the test's own folder."""

    def write(name: str, *lines: str) -> Path:
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
        return path

    return write


@pytest.fixture
def write_result() -> Callable[..., Path]:
    """write_result(folder, score=…, **fields) leaves a finished run in `folder`."""

    def write(folder: Path, *, task: str = "cola", score: float = 0.5, **fields: Any) -> Path:
        spec = {"task": task, "model": "models/a/export", "output": folder, "data": None, **fields.pop("spec", {})}
        values = {
            "task": task,
            "model": spec["model"],
            "model_fingerprint": "f" * 64,
            "learning_rate": 3e-5,
            "batch_size": 32,
            "epochs": 3.0,
            "seed": 1,
            "metric": "accuracy",
            "score": score,
            "metrics": {"accuracy": score},
            "majority_score": 0.4,
            "failed_run": score <= 0.4,
            "train_loss": 0.3,
            "train_rows": 10,
            "dev_rows": 4,
            "train_sequences": 10,
            "parameters": 100,
            "seconds": 2.0,
            "seconds_per_epoch": 0.5,
            "versions": {},
            **fields,
        }
        grid = {name: values[name] for name in ("learning_rate", "batch_size", "epochs", "seed")}
        folder.mkdir(parents=True, exist_ok=True)
        Result(**values, spec=RunSpec(**{**grid, **spec})).write(folder)
        return folder

    return write
