"""One run end to end: every task on a few rows, determinism, and input that is refused."""

import contextlib
import errno
import json
import math
import os
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file, save_file

from finetuning.atomic_file import replacing
from finetuning.errors import FinetuningError
from finetuning.kinds.loading import load_task
from finetuning.main import main
from finetuning.run import loop as training
from finetuning.run.answers import answer_file
from finetuning.run.finetune import run
from finetuning.run.identity.inputs import inputs_of
from finetuning.run.result import Result
from finetuning.run.specification import RunSpec
from tests.recorded_progress import RecordedProgress

OWN = """
name = "follows"
kind = "classification"
format = "jsonl"
labels = ["no", "yes"]
metric = "accuracy"
columns = { text_a = "first", text_b = "second", label = "follows" }
splits = { train = "train.jsonl", dev = "dev.jsonl" }
"""


@pytest.fixture
def spec(tmp_path: Path, model_folder: Path, benchmark_data: Path) -> Callable[..., RunSpec]:
    def make(task: str, **changes: Any) -> RunSpec:
        values = {
            "data": benchmark_data,
            "epochs": 1,
            "batch_size": 4,
            "sequence_length": 96,
            "output": tmp_path / "run",
        }
        return RunSpec(**{"task": task, "model": str(model_folder), **values, **changes})

    return make


# Every task whose rows stand in `benchmark_data`; AX is answered by models of another.
RUN = ("cola", "sst2", "mrpc", "stsb", "qqp", "mnli", "qnli", "rte", "wnli")
RUN += ("squad1", "squad2", "swag", "conll2003", "conll2000")


@pytest.mark.parametrize("name", RUN)
def test_every_task_runs(name: str, spec: Callable[..., RunSpec], tmp_path: Path) -> None:
    result = run(spec(name))
    task = load_task(name)
    assert result.inputs == inputs_of(spec(name))
    assert Result.read(tmp_path / "run") == result
    assert (result.task, result.metric) == (name, task.metric)
    assert set(result.metrics) >= {task.metric, *task.metrics, *(f"{split}/{task.metric}" for split in task.dev[1:])}
    assert result.score == result.metrics[task.metric]
    assert result.failed_run == (result.failure is not None)
    assert result.constant_score >= result.majority_score
    assert result.failed_run or result.score > result.constant_score
    assert result.above_constant is not None
    assert result.train_loss > 0
    assert len(result.model_fingerprint) == 64
    for split in (*task.dev, *task.test):
        lines = (tmp_path / "run" / f"predictions-{split}.jsonl").read_text(encoding="utf-8").splitlines()
        records = [json.loads(line) for line in lines]
        assert {"id", "label", "prediction", "scores"} <= set(records[0])
        submission = task.splits[split].submission
        if submission is not None:
            table = (tmp_path / "run" / "submission" / submission).read_text().splitlines()
            assert table[0] == "index\tprediction"
            assert [line.split("\t")[0] for line in table[1:]] == [str(n) for n in range(len(records))]
            answers = [line.split("\t")[1] for line in table[1:]]
            if task.kind == "regression":
                assert all(0 <= float(answer) <= 5 for answer in answers)
            else:
                assert set(answers) <= set(task.labels)
    if task.kind == "span":
        found = json.loads((tmp_path / "run" / "squad-dev-predictions.json").read_text())
        assert set(found) == {"q0", "q1", "q2"} | ({"q9"} if name == "squad2" else set())
        assert (tmp_path / "run" / "squad-dev-null-odds.json").exists() == (name == "squad2")
        assert result.train_sequences > result.train_rows, "the paragraph takes several windows"


def test_own_task_beside_its_file(spec: Callable[..., RunSpec], write_lines: Callable[..., Path]) -> None:
    path = write_lines("follows.toml", OWN)
    rows = [json.dumps({"first": "the cat", "second": f"sat {n}", "follows": ["no", "yes"][n % 2]}) for n in range(10)]
    write_lines("train.jsonl", *rows)
    write_lines("dev.jsonl", *rows[:4])
    result = run(spec(str(path), data=None))
    assert (result.task, result.train_rows, result.dev_rows) == ("follows", 10, 4)
    assert result.majority_score == 0.5


def test_steps_and_answers_are_counted(spec: Callable[..., RunSpec], capsys: pytest.CaptureFixture[str]) -> None:
    progress = RecordedProgress()
    result = run(spec("cola", epochs=1.5, evaluate_every_epoch=True), progress)
    steps = math.ceil(math.ceil(result.train_rows / 4) * 1.5)
    (dev, *_), rows = load_task("cola").dev, result.dev_rows
    assert dev == "dev"
    assert progress.ends[:2] == [("train", steps, steps), ("answer", rows, rows)]  # and nothing for an epoch's score
    assert all(done == total for _, done, total in progress.ends)
    assert len(progress.ends) == 1 + len([*load_task("cola").dev, *load_task("cola").test])
    assert capsys.readouterr().err == ""


def test_a_seed_decides_everything(spec: Callable[..., RunSpec], tmp_path: Path) -> None:
    runs = [run(spec("cola", seed=seed, epochs=2, output=tmp_path / str(n))) for n, seed in enumerate([1, 1, 2])]
    answers = [(tmp_path / str(n) / "predictions-dev.jsonl").read_text() for n in range(3)]
    assert answers[0] == answers[1]
    assert answers[0] != answers[2]
    assert runs[0].train_loss == runs[1].train_loss


def test_it_learns(spec: Callable[..., RunSpec], write_lines: Callable[..., Path]) -> None:
    """Whether the sentence has a cat: learnt from random weights, and kept in the saved model."""
    sentences = [
        f"the {animal} sat {place}"
        for animal in ("cat", "dog")
        for place in ("near", "on", "in", "where", "red", "blue")
    ]
    lines = [f"{sentence}\t{int('cat' in sentence)}" for sentence in sentences]
    data = write_lines("train.tsv", "sentence\tlabel", *lines * 4).parent
    write_lines("dev.tsv", "sentence\tlabel", *lines)
    result = run(spec("sst2", data=data, epochs=12, learning_rate=2e-3, batch_size=8, evaluate_every_epoch=True))
    assert result.score == 1.0
    assert result.majority_score == 0.5
    assert not result.failed_run
    assert len(result.epoch_scores) == 12
    assert result.train_loss < 0.2


def test_micro_batches_do_not_change_the_result(spec: Callable[..., RunSpec], tmp_path: Path) -> None:
    whole, cut = (
        run(spec("rte", epochs=2, micro_batch_pieces=pieces, output=tmp_path / str(pieces))) for pieces in (10_000, 50)
    )
    assert cut.train_loss == pytest.approx(whole.train_loss, abs=1e-5)


def test_failed_runs_may_stop_early(spec: Callable[..., RunSpec]) -> None:
    result = run(spec("cola", learning_rate=1e-9, epochs=3, stop_failed_after=1))
    assert result.stopped_early
    assert result.failed_run
    assert len(result.epoch_scores) == 1


def test_a_diverged_run_is_scored_and_marked(spec: Callable[..., RunSpec]) -> None:
    result = run(spec("stsb", learning_rate=1e30, epochs=2, gradient_clip=0.0, warmup_share=0.0))
    assert result.diverged
    assert result.failed_run
    assert result.score == 0.0
    assert json.loads((result.spec.output / "result.json").read_text())["diverged"] is True


def test_a_label_only_in_dev_is_noted(spec: Callable[..., RunSpec], write_lines: Callable[..., Path]) -> None:
    data = write_lines("train.tsv", "sentence\tlabel", "the cat\t1", "the dog\t1").parent
    write_lines("dev.tsv", "sentence\tlabel", "the cat\t1", "the dog\t0")
    result = run(spec("sst2", data=data))
    assert any("label '0' occurs in the dev split (1 times), but never in training" in note for note in result.notes)


def test_a_tag_only_in_dev_counts_as_wrong(spec: Callable[..., RunSpec], write_lines: Callable[..., Path]) -> None:
    data = write_lines("train.txt", "he PRP B-NP", "ran VBD O", "", "it PRP B-NP").parent
    write_lines("test.txt", "he PRP B-XP", "ran VBD B-XP")
    result = run(spec("conll2000", data=data))
    assert result.metrics["accuracy"] == 0.0
    assert any("'B-XP'" in note for note in result.notes)


def test_an_unknown_tag_is_refused(spec: Callable[..., RunSpec], write_lines: Callable[..., Path]) -> None:
    data = write_lines("train.txt", "he PRP B-NP O").parent
    write_lines("valid.txt", "he PRP B-NP O", "Ann NNP B-NP I-PERSON")
    write_lines("test.txt", "he PRP B-NP O")
    with pytest.raises(
        FinetuningError, match=r"valid\.txt: line 1: tag 'B-PERSON' is unknown; conll2003 knows O, B-PER"
    ):
        run(spec("conll2003", data=data))


def test_a_checkpoint_without_its_encoder(spec: Callable[..., RunSpec], model_folder: Path, tmp_path: Path) -> None:
    broken = tmp_path / "broken"
    shutil.copytree(model_folder, broken)
    weights = load_file(broken / "model.safetensors")
    renamed = {name.replace("encoder.layer.1.", "encoder.block.1."): tensor for name, tensor in weights.items()}
    save_file(renamed, broken / "model.safetensors")
    with pytest.raises(FinetuningError) as caught:
        run(spec("cola", model=str(broken)))
    missing, unexpected = str(caught.value).split("unexpected:")
    assert "encoder.layer.1.attention.self.query.weight" in missing
    assert "encoder.block.1.attention.self.query.weight" in unexpected
    assert not (tmp_path / "run" / "result.json").exists()


def test_starting_from_another_run(spec: Callable[..., RunSpec], tmp_path: Path) -> None:
    """RTE from an MNLI run: the encoder is taken over, its head of three classes is not."""
    first = run(spec("mnli", save_model=True, output=tmp_path / "mnli"))
    second = run(spec("rte", model=str(tmp_path / "mnli" / "model"), save_model=True, output=tmp_path / "rte"))
    assert second.model_fingerprint != first.model_fingerprint
    head = load_file(tmp_path / "rte" / "model" / "model.safetensors")["classifier.weight"]
    assert head.shape[0] == 2


def test_random_weights(spec: Callable[..., RunSpec], model_folder: Path, vocabulary: Path, tmp_path: Path) -> None:
    """By option and by name they are the same model, and another one than the pretrained."""
    pretrained = run(spec("cola", output=tmp_path / "a"))
    by_option = run(spec("cola", random_weights=True, output=tmp_path / "b"))
    config = f"random:{model_folder / 'config.json'}"
    by_name = run(spec("cola", model=config, tokenizer=vocabulary, output=tmp_path / "c"))
    assert by_option.model_fingerprint == by_name.model_fingerprint != pretrained.model_fingerprint
    assert by_option.train_loss == by_name.train_loss != pretrained.train_loss


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--task", "colla"], "did you mean cola?"),
        (["--task", "ax"], "train mnli, and answer it with finetuning.predict"),
        (["--learning-rate", "-1"], "--learning-rate -1: input should be greater than 0"),
        (["--sequence-length", "500"], "more than the model's 384 positions"),
        (["--model", "absent"], "absent: no such folder"),
        (["--data", "absent"], "no train.tsv there"),
        (["--device", "cuda:99"], "cannot be used"),
        (["--tokenizer", "absent"], "absent does not exist"),
    ],
)
def test_the_command_line_refuses_in_one_sentence(
    arguments: list[str],
    message: str,
    model_folder: Path,
    benchmark_data: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    options = {
        "--task": "cola",
        "--model": str(model_folder),
        "--data": str(benchmark_data),
        "--output": str(tmp_path / "r"),
    }
    options |= dict(zip(arguments[::2], arguments[1::2], strict=True))
    assert main([part for pair in options.items() for part in pair]) == 2
    error = capsys.readouterr().err
    assert message in error
    assert "Traceback" not in error
    assert not (tmp_path / "r" / "result.json").exists()


def test_the_command_line_runs_once(
    model_folder: Path, benchmark_data: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    arguments = ["--task", "cola", "--model", str(model_folder), "--data", str(benchmark_data), "--epochs", "1"]
    arguments += ["--output", str(tmp_path / "r"), "--limit-train", "4", "--no-bias-correction", "--precision", "bf16"]
    assert main(arguments) == 0
    assert "cola: matthews_correlation" in capsys.readouterr().out
    result = Result.read(tmp_path / "r")
    assert (result.train_rows, result.spec.bias_correction, result.spec.precision) == (4, False, "bf16")
    assert main(arguments) == 2, "a finished run is not overwritten"


@pytest.mark.parametrize(("number", "code"), [(errno.ENOSPC, 75), (errno.EDQUOT, 75), (errno.EACCES, 2)])
@pytest.mark.parametrize("while_writing", [True, False])
def test_only_what_another_try_can_cure_asks_for_one(
    number: int,
    code: int,
    while_writing: bool,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    def fault(*_: object) -> None:
        with replacing(tmp_path / "file") if while_writing else contextlib.nullcontext():
            raise OSError(number, os.strerror(number))

    monkeypatch.setattr("finetuning.run.finetune.run", fault)
    assert main(["--task", "cola", "--model", "m", "--output", str(tmp_path / "r")]) == code
    assert capsys.readouterr().err.startswith("error: ")


def test_losses_stay_on_the_device_until_the_epoch_ends(
    spec: Callable[..., RunSpec], monkeypatch: pytest.MonkeyPatch
) -> None:
    steps = 0

    def fetch(_: torch.Tensor) -> torch.Tensor:
        raise AssertionError("this waits for the device")

    def watched(*arguments: Any) -> torch.Tensor:
        nonlocal steps
        steps += 1
        with monkeypatch.context() as patch:
            for name in ("cpu", "item", "__float__"):
                patch.setattr(torch.Tensor, name, fetch)
            return step(*arguments)

    step = training._step
    monkeypatch.setattr(training, "_step", watched)
    assert math.isfinite(run(spec("cola")).train_loss)
    assert steps


def test_a_damaged_result_is_named(tmp_path: Path) -> None:
    with pytest.raises(FinetuningError, match="no such file"):
        Result.read(tmp_path)
    (tmp_path / "result.json").write_text('{"task": "cola"')
    with pytest.raises(FinetuningError, match="damaged"):
        Result.read(tmp_path)


def test_a_result_is_parsed_once_and_again_when_it_was_written_again(
    tmp_path: Path, write_result: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    write_result(tmp_path, score=0.5)
    first = Result.read(tmp_path)
    with monkeypatch.context() as patch:
        patch.setattr(Result, "model_validate_json", lambda _: pytest.fail("it was parsed again"))
        assert Result.read(tmp_path) == first
    write_result(tmp_path, score=0.7)
    assert Result.read(tmp_path).score == 0.7


def test_training_leaves_torch_threads_alone(spec: Callable[..., RunSpec]) -> None:
    before = torch.get_num_threads()
    run(spec("cola"))
    assert torch.get_num_threads() == before


def documents(path: Path, colours: list[str]) -> Path:
    """Documents of two sentences: the second is the name of a person where the first says red."""
    lines = []
    for colour in colours:
        tag = {"red": "B-PER", "blue": "B-LOC"}[colour]
        lines += ["-DOCSTART- O", "", f"{colour} O", "", f"house {tag}", ""]
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("\n".join(lines) + "\n")
    return path


def test_what_another_sentence_says_is_learnt_with_document_context(
    spec: Callable[..., RunSpec], tmp_path: Path
) -> None:
    """Alone, the second sentences of all documents are the same; the saved model reads documents too."""
    draw = ["red", "blue", "blue", "red", "red", "blue"]
    documents(tmp_path / "data" / "eng.train", draw * 6)
    for name in ("eng.testa", "eng.testb"):
        documents(tmp_path / "data" / name, draw[:5])
    common = {"data": tmp_path / "data", "epochs": 5, "learning_rate": 5e-3, "dropout": 0.0, "save_model": True}
    run_of = {
        context: run(spec("conll2003", context=context, output=tmp_path / context, **common))
        for context in ("document", "sentence")
    }
    assert run_of["document"].score == 1.0
    assert run_of["sentence"].score < 0.7
    assert (run_of["document"].train_rows, run_of["document"].train_sequences) == (72, 36)
    records = [json.loads(line) for line in (tmp_path / "document" / "predictions-dev.jsonl").read_text().splitlines()]
    assert [len(record["prediction"]) for record in records] == [1, 1] * 5, "an answer for each sentence"

    answers = tmp_path / "answers.jsonl"
    assert answer_file(tmp_path / "document", tmp_path / "data" / "eng.testa", answers) == 10
    again = [json.loads(line) for line in answers.read_text().splitlines()]
    assert [record["prediction"] for record in again] == [record["prediction"] for record in records]


def test_document_context_needs_documents(
    spec: Callable[..., RunSpec], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(
        FinetuningError, match=r"train\.txt: line 1: where documents begin is not marked, and context is"
    ):
        run(spec("conll2000", context="document"))
    with pytest.raises(FinetuningError, match="--context document: cola is a classification task; only token tasks"):
        run(spec("cola", context="document"))
    assert not (tmp_path / "run").exists()


def test_an_uncased_model_is_noted_where_names_are_wanted(spec: Callable[..., RunSpec], tmp_path: Path) -> None:
    noted = [note for note in run(spec("conll2003")).notes if "makes small letters of capitals, by which names" in note]
    assert len(noted) == 1
    other = run(spec("conll2000", output=tmp_path / "other"))
    assert not any("small letters" in note for note in other.notes)
