"""The card of a fine-tuned model: the code in it answers as we do, and it says where the model comes from."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import transformers
from huggingface_hub import ModelCard

from finetuning import model_card
from finetuning.run.answers import answer_file
from finetuning.run.finetune import run
from finetuning.run.model_card import describe_model
from finetuning.run.result import Result
from finetuning.run.specification import RunSpec
from finetuning.tasks.task import Task
from pretraining.model_card.lineage import weights_hash

TASKS = ("sst2", "mnli", "stsb", "goemotions", "conll2003", "squad1", "swag")
ROWS: dict[str, dict[str, Any]] = {
    "sst2": {"text_a": "He ran."},
    "mnli": {"text_a": "He ran.", "text_b": "She ran."},
    "stsb": {"text_a": "He ran.", "text_b": "She ran."},
    "goemotions": {"text_a": "He ran."},
    "conll2003": {"words": ["in", "Paris"]},
    "squad1": {"question": "who ran?", "context": "the dog ran."},
    "swag": {"text_a": "she sat.", "endings": ["a", "b", "c", "d"]},
}
"""What the code of the cards asks the models."""


@pytest.fixture(scope="module")
def train(tmp_path_factory: pytest.TempPathFactory, model_folder: Path, benchmark_data: Path) -> Callable[..., Path]:
    """train(task, **options) → the folder of a run of a few steps with a saved model; each is made once."""
    made: dict[str, Path] = {}

    def train(task: str, **options: Any) -> Path:
        key = f"{task} {sorted(options.items())}"
        if key not in made:
            output = tmp_path_factory.mktemp("runs") / task
            given = {"model": str(model_folder), "data": benchmark_data, "learning_rate": 1e-2, "epochs": 1}
            given |= {"batch_size": 4, "limit_train": 12, "limit_dev": 6, "sequence_length": 96, "save_model": True}
            run(RunSpec(**{"task": task, "output": output, **given, **options}))
            made[key] = output
        return made[key]

    return train


def used(card: Path) -> dict[str, Any]:
    """What the code of a card leaves, run on the folder that the card lies in; nothing may be warned of."""
    code = card.read_text(encoding="utf-8").split("```python\n")[1].split("\n```")[0]
    names: dict[str, Any] = {}
    exec(code.replace("FOLDER", str(card.parent)), names)
    return names


@pytest.mark.parametrize("task", TASKS)
def test_the_code_answers_as_we_do(
    task: str, train: Callable[..., Path], tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    folder = train(task)
    source, output = tmp_path / "new.jsonl", tmp_path / "answers.jsonl"
    source.write_text(json.dumps(ROWS[task]) + "\n")
    answer_file(folder, source, output)
    ours = json.loads(output.read_text())
    with caplog.at_level("WARNING", logger="transformers"):
        theirs = used(folder / "model" / "README.md")
    assert [record.message for record in caplog.records if record.name.startswith("transformers")] == []
    if task == "conll2003":
        first_pieces = [entry for entry in theirs["answers"] if not entry["word"].startswith("##")]
        assert [entry["entity"] for entry in first_pieces] == ours["prediction"]
        assert [float(entry["score"]) for entry in first_pieces] == pytest.approx(ours["scores"], abs=6e-5)
    elif task == "squad1":
        assert theirs["answer"] == ours["prediction"]
    elif task == "swag":
        assert theirs["probabilities"].tolist() == pytest.approx(ours["scores"], abs=2e-6)
    else:
        answers = theirs["answers_to_pairs" if "text_b" in ROWS[task] else "answers"]
        scores = {entry["label"]: entry["score"] for entry in answers}
        expected = {"score": ours["prediction"]} if task == "stsb" else ours["scores"]
        assert scores == pytest.approx(expected, abs=1e-5)
        assert len(set(scores.values())) == len(scores)


@pytest.mark.parametrize("task", TASKS)
def test_configuration_and_tokenizer(task: str, train: Callable[..., Path]) -> None:
    folder = train(task) / "model"
    config = transformers.AutoConfig.from_pretrained(folder)
    kinds = {"stsb": "regression", "goemotions": "multi_label_classification"}
    kinds |= dict.fromkeys(("sst2", "mnli"), "single_label_classification")
    assert config.problem_type == kinds.get(task)
    labels = json.loads((folder / "task.json").read_text())["labels"] or {"stsb": ["score"]}.get(task)
    if labels:
        assert [config.id2label[index] for index in range(len(labels))] == labels
    tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    assert (tokenizer.model_max_length, tokenizer.do_lower_case) == (384, True)


@pytest.mark.parametrize("task", TASKS)
def test_hugging_face_reads_it(task: str, train: Callable[..., Path]) -> None:
    folder = train(task)
    result = Result.read(folder)
    card = ModelCard.load(folder / "model" / "README.md")
    tags = {"conll2003": "token-classification", "squad1": "question-answering", "swag": "multiple-choice"}
    data = card.data.to_dict()
    assert data["pipeline_tag"] == tags.get(task, "text-classification")
    assert (data["license"], data["library_name"]) == ("unknown", "transformers")
    assert "datasets" not in data  # the rows came from files
    found = {(entry.dataset_split, entry.metric_type): entry.metric_value for entry in card.data.eval_results}
    main = {"mnli": "dev_matched"}.get(task, "dev")
    expected = {
        (name.rpartition("/")[0] or main, name.rpartition("/")[2]): value for name, value in result.metrics.items()
    }
    assert found == pytest.approx(expected)
    assert f"{result.score:.4f} on {result.dev_rows} rows of" in card.text.replace("\n", " ")


def test_lineage_names_every_model_on_the_way(train: Callable[..., Path], model_folder: Path) -> None:
    first = train("mnli")
    second = train("rte", model=str(first / "model"))
    steps = json.loads((second / "model" / "lineage.json").read_text())["steps"]
    assert [step["step"] for step in steps] == ["given", "fine-tuning", "fine-tuning"]
    assert [step.get("task") for step in steps] == [None, "mnli", "rte"]
    assert [step["weights"] for step in steps] == [
        weights_hash(folder) for folder in (model_folder, first / "model", second / "model")
    ]
    assert steps[2]["encoder at the start"] == Result.read(second).model_fingerprint
    text = (second / "model" / "README.md").read_text()
    assert all(step["weights"] in text for step in steps)
    alone = train("sst2", random_weights=True)
    steps = json.loads((alone / "model" / "lineage.json").read_text())["steps"]
    assert [step["step"] for step in steps] == ["random weights", "fine-tuning"]


def described(folder: Path, train: Callable[..., Path], task: Task | None = None, **changes: Any) -> str:
    """The card of a copy of a run's model, of a result with changes."""
    from finetuning.run.checkpoint import read_description

    shutil.copytree(train("sst2") / "model", folder)
    own, labels, _ = read_description(folder)
    describe_model(folder, task or own, labels, Result.read(train("sst2")).model_copy(update=changes))
    return (folder / "README.md").read_text()


def test_a_failed_run_is_called_that(train: Callable[..., Path], tmp_path: Path) -> None:
    failed = described(
        tmp_path / "a", train, failed_run=True, failure="not above the best constant", constant_score=0.75
    )
    assert "This run failed: it is not better than the best constant answer" in failed
    assert "The best constant answer scores 0.75" in failed
    constant = described(tmp_path / "d", train, failed_run=True, failure="constant")
    assert "This run failed: it gives every row the same answer" in constant
    assert "stopped being finite" in described(
        tmp_path / "b", train, failed_run=True, failure="diverged", diverged=True
    )
    assert "Do not use" not in described(tmp_path / "c", train, failed_run=False, failure=None)


def test_what_comes_from_outside_is_text(train: Callable[..., Path], tmp_path: Path) -> None:
    """Names and notes cannot end the front matter, or become markup."""
    task = Task(
        name="own",
        title='a: "b"\n---\n# c <img src=x> | [d](e) 🙂',
        kind="classification",
        format="csv",
        columns={"text_a": "text", "label": "label"},
        labels=("0", "1"),
        metric="accuracy",
        splits={"train": {"file": "a.csv"}, "dev": {"file": "b.csv"}},  # type: ignore[dict-item]
    )
    text = described(tmp_path / "a", train, task, notes=("a | b\n## c", "`<script>`"))
    card = ModelCard.load(tmp_path / "a" / "README.md")
    assert card.data.eval_results[0].dataset_name == task.title
    assert "\n## c" not in text
    assert "- \\`\\<script\\>\\`" in text
    assert "a \\| b \\#\\# c" in text


def test_rows_of_the_hub_are_named(train: Callable[..., Path], tmp_path: Path) -> None:
    spec = Result.read(train("sst2")).spec.model_copy(update={"data": None})
    described(tmp_path / "a", train, spec=spec)
    assert ModelCard.load(tmp_path / "a" / "README.md").data.datasets == ["nyu-mll/glue"]


def test_the_other_seeds_of_a_sweep(
    train: Callable[..., Path], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    runs = [train("sst2", seed=seed) for seed in (1, 2, 3)]
    other = train("sst2", seed=4, learning_rate=2e-2)
    for number, folder in enumerate([*runs, other, train("rte", seed=9)]):
        shutil.copytree(folder, tmp_path / "sweep" / str(number))
    mine = tmp_path / "sweep" / "1"
    lineage = (mine / "model" / "lineage.json").read_bytes()
    assert "## Over seeds" not in (mine / "model" / "README.md").read_text()
    assert model_card.main([str(mine), "--sweep", str(tmp_path / "sweep")]) == 0
    assert "3 seeds" in capsys.readouterr().out
    scores = [Result.read(folder).score for folder in runs]
    text = (mine / "model" / "README.md").read_text()
    assert f"The same run with 3 seeds: mean accuracy {sum(scores) / 3:.4f}" in text
    assert "95 % interval of the mean" in text
    assert [f"| {seed} | {score:.4f} |" in text for seed, score in zip((1, 2, 3), scores, strict=True)] == [True] * 3
    assert (mine / "model" / "lineage.json").read_bytes() == lineage
    (mine / "model" / "lineage.json").unlink()
    assert model_card.main([str(mine), "--sweep", str(tmp_path / "sweep")]) == 2
    assert "lineage.json is not there or is of other weights" in capsys.readouterr().err
