"""Tasks with any number of labels a row: learnt end to end, equal to `transformers`, refused where a row is wrong."""

import itertools
import json
import random
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from finetuning.errors import FinetuningError
from finetuning.kinds import multi_label
from finetuning.kinds.batches import collate
from finetuning.kinds.constant import best_constant
from finetuning.kinds.loading import load_task, parse_task, read_split
from finetuning.kinds.model import TaskModel
from finetuning.kinds.multi_label import KIND, LabelsRow
from finetuning.kinds.scoring import check_metrics
from finetuning.predict import main as predict_main
from finetuning.reporting.content import build
from finetuning.run.checkpoint import FineTuned, load_fine_tuned, save_fine_tuned
from finetuning.run.finetune import run
from finetuning.run.specification import RunSpec
from finetuning.run.start import load_start, set_dropout
from finetuning.tasks.task import Task

LABELS = ("animal", "place", "colour")
WORDS = {"animal": ("cat", "dog"), "place": ("house", "tree"), "colour": ("red", "blue")}


def own_task(**changes: object) -> Task:
    content = {
        "name": "topics", "kind": "multi_label", "format": "jsonl", "labels": list(LABELS), "metric": "micro_f1",
        "metrics": ["macro_f1", "subset_accuracy"], "columns": {"text_a": "text", "labels": "topics"},
        "splits": {"train": "train.jsonl", "dev": "dev.jsonl"},
    }  # fmt: skip
    return parse_task({**content, **changes}, "topics.toml")


def records(count: int, seed: int) -> list[dict[str, Any]]:
    """Sentences whose words say which labels they have: none, one, or several."""
    draw = random.Random(seed)
    rows = []
    for number in range(count):
        labels = [label for place, label in enumerate(LABELS) if number >> place & 1]
        words = [draw.choice(WORDS[label]) for label in labels]
        rows.append({"text": " ".join(["the", *words, "was near"]), "topics": labels})
    return rows


@pytest.fixture
def data(tmp_path: Path, write_lines: Callable[..., Path]) -> Path:
    """The task's file, with its rows beside it."""
    write_lines("train.jsonl", *map(json.dumps, records(400, 1)))
    write_lines("dev.jsonl", *map(json.dumps, records(24, 2)))
    write_lines("new.txt", "the cat was near", "the tree red was near", "the was near")
    return write_lines(
        "topics.toml",
        'name = "topics"',
        'kind = "multi_label"',
        'format = "jsonl"',
        f"labels = {list(LABELS)}",
        'metric = "micro_f1"',
        'metrics = ["macro_f1", "subset_accuracy"]',
        'columns = { text_a = "text", labels = "topics" }',
        'splits = { train = "train.jsonl", dev = "dev.jsonl" }',
    )


def test_it_learns_end_to_end_and_answers_new_text(data: Path, model_folder: Path, tmp_path: Path) -> None:
    output = tmp_path / "run"
    options: dict[str, Any] = {"epochs": 20, "learning_rate": 3e-3, "batch_size": 8, "dropout": 0.0, "save_model": True}
    result = run(RunSpec(task=str(data), model=str(model_folder), output=output, **options))
    assert result.score > 0.95 > result.majority_score > 0.5
    assert set(result.metrics) == {"micro_f1", "macro_f1", "subset_accuracy"}
    assert not result.failed_run
    lines = [json.loads(line) for line in (output / "predictions-dev.jsonl").read_text().splitlines()]
    assert [line["label"] for line in lines] == [record["topics"] for record in records(24, 2)]
    assert all(line["prediction"] == [label for label in LABELS if line["scores"][label] > 0.5] for line in lines)
    arguments = ["--model", str(output), "--input", str(tmp_path / "new.txt"), "--output", str(tmp_path / "a.jsonl")]
    assert predict_main(arguments) == 0
    answers = [json.loads(line)["prediction"] for line in (tmp_path / "a.jsonl").read_text().splitlines()]
    assert answers == [["animal"], ["place", "colour"], []]


def test_the_report_shows_its_errors(data: Path, tmp_path: Path, write_result: Callable[..., Path]) -> None:
    folder = write_result(tmp_path / "run", task="topics", metric="micro_f1", spec={"task": str(data)})
    lines = [
        {"id": "0", "label": [], "prediction": ["animal"], "scores": {}},
        {"id": "1", "label": ["animal"], "prediction": ["animal"], "scores": {}},
        {"id": "2", "label": ["place"], "prediction": ["place", "colour"], "scores": {}},
    ]
    (folder / "predictions-dev.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    errors = build([folder])["tasks"][0]["models"][0]["errors"]
    assert [(error["label"], error["prediction"], error["badness"]) for error in errors["worst"]] == [
        ("(none)", "animal", 1.0),
        ("place", "place, colour", 0.5),
    ]
    assert errors["worst"][0]["text"] == "the was near"
    assert (errors["wrong"], errors["rows"], errors["labels"]) == (2, 3, ())


@pytest.mark.parametrize("pair", [False, True])
def test_loss_gradients_and_logits_equal_transformers(pair: bool, tmp_path: Path, model_folder: Path) -> None:
    import transformers

    task = own_task(columns={"text_a": "text", "labels": "topics"} | ({"text_b": "other"} if pair else {}))
    rows = [
        LabelsRow(str(n), "", record["text"], "it is red" if pair else None, tuple(record["topics"]))
        for n, record in enumerate(records(11, 3))
    ]
    start = load_start(RunSpec(task="", model=str(model_folder), output=tmp_path), task)
    model = TaskModel(start.encoder, KIND, len(LABELS))
    save_fine_tuned(tmp_path / "model", FineTuned(model, start.tokenizer, task, LABELS, 32))
    set_dropout(model, 0.0)
    split = KIND.encode(task, rows, start.tokenizer, LABELS, 32)
    items = np.arange(split.items)
    batch = collate(split, items)
    logits = model(batch)
    loss = KIND.loss_sum(logits, batch) / KIND.label_count(split, items)
    loss.backward()

    theirs = transformers.BertForSequenceClassification.from_pretrained(
        tmp_path / "model", attn_implementation="eager", hidden_dropout_prob=0.0, attention_probs_dropout_prob=0.0
    ).train()
    assert theirs.config.problem_type == "multi_label_classification"
    assert theirs.config.id2label == dict(enumerate(LABELS))
    tokenizer = transformers.AutoTokenizer.from_pretrained(tmp_path / "model")
    texts = [[row.text_a for row in rows], *([[row.text_b for row in rows]] if pair else [])]
    inputs = tokenizer(*texts, padding=True, return_tensors="pt")
    gold = torch.tensor([[float(label in (row.labels or ())) for label in LABELS] for row in rows])
    reference = theirs(**inputs, labels=gold)
    reference.loss.backward()
    torch.testing.assert_close(logits, reference.logits, atol=2e-5, rtol=1e-4)
    assert loss.item() == pytest.approx(reference.loss.item(), abs=2e-5)
    torch.testing.assert_close(model.head.weight.grad, theirs.classifier.weight.grad, atol=2e-5, rtol=1e-3)

    again = load_fine_tuned(tmp_path)
    assert again.labels == LABELS
    with torch.no_grad():
        assert torch.equal(again.model(batch), model.eval()(batch))


def own_f1(gold: Sequence[bool], given: Sequence[bool]) -> float:
    hits = sum(a and b for a, b in zip(gold, given, strict=True))
    total = sum(gold) + sum(given)
    return 2 * hits / total if total else 0.0


@pytest.mark.parametrize("seed", range(5))
def test_metrics_by_their_definitions(seed: int) -> None:
    draw = np.random.default_rng(seed)
    gold, given = draw.random((2, 30, 4)) < 0.4
    assert multi_label.micro_f1(gold, given) == pytest.approx(own_f1(gold.ravel(), given.ravel()))
    columns = [own_f1(gold[:, c], given[:, c]) for c in range(4)]
    assert multi_label.macro_f1(gold, given) == pytest.approx(sum(columns) / 4)
    assert multi_label.subset_accuracy(gold, given) == pytest.approx(np.mean((gold == given).all(1)))
    nothing = np.zeros((3, 4), bool)
    assert multi_label.micro_f1(nothing, nothing) == 0.0
    assert multi_label.subset_accuracy(nothing, nothing) == 1.0


@pytest.mark.parametrize("seed", range(6))
@pytest.mark.parametrize("metric", KIND.metrics)
def test_no_constant_answer_beats_the_best_one(seed: int, metric: str) -> None:
    draw = random.Random(seed)
    labels = ("a", "b", "c", "d")
    task = own_task(labels=list(labels), metric=metric, metrics=[])
    weights = [draw.random() for _ in labels]
    rows = [
        LabelsRow(str(n), "", "", None, tuple(x for x, w in zip(labels, weights, strict=True) if draw.random() < w))
        for n in range(15)
    ]
    gold = np.array([[label in (row.labels or ()) for label in labels] for row in rows])
    every = [
        multi_label.METRICS[metric](gold, np.tile(answer, (len(rows), 1)))
        for answer in itertools.product([False, True], repeat=len(labels))
    ]
    assert best_constant(task, [], rows).score == pytest.approx(max(every))


def test_logits_of_a_model_that_diverged_give_no_label() -> None:
    rows = [LabelsRow("0", "", "a", None, None)]
    (answer,) = KIND.decode(own_task(), LABELS, rows, None, np.array([[0.0, -1.0, 2.0]], np.float32))  # type: ignore[arg-type]
    assert (answer.label, answer.prediction) == (None, ["colour"])
    assert answer.scores["animal"] == 0.5


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ('{"text": "x", "topics": ["animal", "plant"]}', r"line 1: label 'plant' is unknown; topics knows 'animal', "),
        ('{"text": "x", "topics": ["place", "place"]}', r"line 1: label 'place' stands there twice"),
        ('{"text": "x", "topics": "animal"}', r"line 1: labels is 'animal', not a list of texts"),
        ('{"text": "x", "topics": [1]}', r"line 1: labels is \[1\], not a list of texts"),
        ('{"text": "x", "topic": []}', r"line 1: column 'topics' \(labels\) is missing; did you mean 'topic'"),
        ('{"text": 3, "topics": []}', r"line 1: text_a is 3, not a text"),
    ],
)
def test_bad_rows(write_lines: Callable[..., Path], line: str, message: str) -> None:
    path = write_lines("train.jsonl", line)
    with pytest.raises(FinetuningError, match=message):
        read_split(own_task(), "train", path.parent)


def test_labels_of_a_tsv_are_separated_by_commas(write_lines: Callable[..., Path]) -> None:
    task = own_task(format="tsv", splits={"train": "train.tsv", "dev": "train.tsv"})
    path = write_lines("train.tsv", "text\ttopics", "a\tcolour, animal", "b\t", "c\tplace")
    split = read_split(task, "train", path.parent)
    assert split is not None
    labels = [row.labels for row in split.rows if isinstance(row, LabelsRow)]
    assert labels == [("animal", "colour"), (), ("place",)]
    write_lines("train.tsv", "text\ttopics", "a\tcolour,,animal")
    with pytest.raises(FinetuningError, match="line 2: label '' is unknown"):
        read_split(task, "train", path.parent)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"labels": ["one"]}, "a multi_label task names at least two"),
        ({"columns": {"text_a": "text"}}, "columns: labels missing for a multi_label task"),
        ({"columns": {"text_a": "t", "labels": "l", "label": "l"}}, "columns: unknown label"),
        ({"labels": ["a,b", "c"], "format": "tsv"}, "'a,b' has a comma"),
        ({"format": "conll"}, "format 'conll' holds token tasks, not multi_label"),
    ],
)
def test_wrong_task_files(changes: dict[str, object], message: str) -> None:
    with pytest.raises(FinetuningError, match=message):
        own_task(**changes)


def test_a_metric_of_another_kind() -> None:
    with pytest.raises(FinetuningError, match="metric 'f1' is unknown for a multi_label task; it has micro_f1"):
        check_metrics(own_task(metric="f1"))


def test_class_numbers_of_the_hub_become_names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A local folder of Parquet files stands for the hub."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    monkeypatch.setenv("HF_DATASETS_OFFLINE", "1")
    (tmp_path / "hub").mkdir()
    table = pa.table({"text": ["a", "b"], "labels": [[17, 2], [27]], "id": ["x", "y"]})
    pq.write_table(table, tmp_path / "hub" / "train-00000.parquet")
    task = load_task("goemotions")
    assert task.hub is not None
    hub = task.hub.model_copy(update={"path": str(tmp_path / "hub"), "config": None})
    split = read_split(task.model_copy(update={"hub": hub}), "train", None)
    assert split is not None
    found = [(row.id, row.labels) for row in split.rows if isinstance(row, LabelsRow)]
    assert found == [("x", ("anger", "joy")), ("y", ("neutral",))]
