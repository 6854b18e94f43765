"""Finished runs below folders: their labels and settings, and what makes no whole."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from finetuning.errors import FinetuningError
from finetuning.reporting.gather import FinishedRun, best_run, find_runs, predictions
from tests.finetuning.reporting.finished_runs import answered

PLAIN = "3e-05, batch 32, 3 epochs"
BASELINE: dict[str, Any] = {"learning_rate": 0.0, "batch_size": 0, "epochs": 0.0, "baseline": "bag of words"}
ITS_SPEC = {"learning_rate": 3e-5, "batch_size": 32, "epochs": 3.0}


@pytest.fixture
def one(tmp_path: Path, write_result: Callable[..., Path]) -> Callable[..., FinishedRun]:
    """one(folder, **fields) → the run, gathered alone."""

    def gather(name: str = "run", **fields: Any) -> FinishedRun:
        (run,) = find_runs([write_result(tmp_path / name, **fields)])
        return run

    return gather


@pytest.mark.parametrize(
    "options",
    [
        {"dropout": 0.2},
        {"sequence_length": 64},
        {"precision": "bf16"},
        {"limit_train": 5},
        {"weight_decay": 0.0},
        {"random_weights": True},
    ],
)
def test_runs_with_other_options_are_other_settings(one: Callable[..., FinishedRun], options: dict[str, Any]) -> None:
    ((name, value),) = options.items()
    run = one(spec=options)
    assert run.setting == (3e-5, 32, 3.0, False, (f"{name} {value}",))
    assert run.setting_text == f"{PLAIN}, {name} {value}"


def test_what_the_grid_says_and_where_a_run_was_made_are_no_options(one: Callable[..., FinishedRun]) -> None:
    made = {"device": "cpu", "threads": 4, "micro_batch_pieces": 1, "zero_stage": 1, "join_seconds": 9.0}
    kept = {"save_model": True, "predict_test": False, "evaluate_every_epoch": True}
    run = one(
        learning_rate=5e-5, batch_size=16, epochs=2.5, seed=7, spec={**made, **kept, "data": "d", "tokenizer": "t"}
    )
    assert run.setting == (5e-5, 16, 2.5, False, ())
    assert run.setting_text == "5e-05, batch 16, 2.5 epochs"


@pytest.mark.parametrize(
    ("asked", "made", "options"),
    [("auto", "tf32", ("precision tf32",)), ("auto", "fp32", ()), ("bf16", "fp32", ())],
)
def test_the_precision_is_what_the_device_made_of_it(
    one: Callable[..., FinishedRun], asked: str, made: str, options: tuple[str, ...]
) -> None:
    assert one(precision=made, spec={"precision": asked}).options == options


def test_a_start_from_mnli_is_read_from_the_folder(one: Callable[..., FinishedRun]) -> None:
    run = one("seed1-from-mnli", spec={"dropout": 0.2})
    assert run.setting == (3e-5, 32, 3.0, True, ("dropout 0.2",))
    assert run.setting_text == f"{PLAIN}, from MNLI, dropout 0.2"
    assert not one("from-mnli-seed1").from_mnli


def test_a_baseline_has_its_own_label_and_no_setting(one: Callable[..., FinishedRun]) -> None:
    run = one(**BASELINE, spec=ITS_SPEC)
    assert (run.label, run.options, run.setting_text) == ("bag of words", ("bag of words",), "no encoder")
    assert run.setting == (0.0, 0, 0.0, False, ("bag of words",))


@pytest.mark.parametrize(
    ("model", "spec", "label"),
    [
        ("models/a/export", {}, "a"),
        ("runs/x/model", {}, "x"),
        ("export", {}, "export"),
        ("model", {}, "model"),
        ("models/bert-base", {}, "bert-base"),
        ("models/tiny.safetensors", {}, "tiny"),
        ("random:configs/tiny.json", {}, "random-tiny"),
        ("random:tiny.json", {}, "random-tiny"),
        ("models/a/export", {"random_weights": True}, "random-a"),
    ],
)
def test_a_run_by_itself_is_called_as_its_weights(
    one: Callable[..., FinishedRun], model: str, spec: dict[str, Any], label: str
) -> None:
    assert one(spec={"model": model, **spec}).label == label


def test_runs_of_a_sweep_are_called_as_it_calls_their_model(tmp_path: Path, write_result: Callable[..., Path]) -> None:
    write_result(tmp_path / "sweep" / "new" / "cola" / "run")
    write_result(tmp_path / "sweep" / "bag-of-words" / "cola" / "run", **BASELINE, spec=ITS_SPEC)
    assert [run.label for run in find_runs([tmp_path / "sweep"])] == ["bag of words", "a"]
    (tmp_path / "sweep" / "sweep.json").touch()
    assert [run.label for run in find_runs([tmp_path / "sweep"])] == ["bag of words", "new"]


def test_each_run_is_found_once_in_the_order_of_folders(tmp_path: Path, write_result: Callable[..., Path]) -> None:
    for seed, name in enumerate(("c", "b/deep", "a")):
        write_result(tmp_path / "runs" / name, seed=seed)
    (tmp_path / "link").symlink_to(tmp_path / "runs")
    runs = find_runs(iter([tmp_path / "runs" / "c", tmp_path / "runs", tmp_path / "link"]))
    assert [run.folder for run in runs] == [tmp_path / "runs" / name for name in ("a", "b/deep", "c")]
    assert [run.result.seed for run in runs] == [2, 1, 0]


def test_runs_that_differ_in_anything_are_all_there(tmp_path: Path, write_result: Callable[..., Path]) -> None:
    others: list[dict[str, Any]] = [
        {},
        {"seed": 2},
        {"task": "rte"},
        {"learning_rate": 5e-5},
        {"batch_size": 16},
        {"epochs": 2.0},
        {"spec": {"model": "models/b/export"}},
        {"spec": {"dropout": 0.2}},
    ]
    for number, fields in enumerate(others):
        write_result(tmp_path / str(number), **fields)
    write_result(tmp_path / "0-from-mnli")
    assert len(find_runs([tmp_path])) == len(others) + 1


def test_a_seed_does_not_count_twice(tmp_path: Path, write_result: Callable[..., Path]) -> None:
    for name in ("one", "two"):
        write_result(tmp_path / name, seed=7)
    with pytest.raises(FinetuningError) as raised:
        find_runs([tmp_path])
    assert str(raised.value) == (
        f"{tmp_path}/one and {tmp_path}/two are the same run, a on cola with {PLAIN} and seed 7: "
        "name only one of the two"
    )


@pytest.mark.parametrize("spec", [{}, {"tokenizer": "other/vocab.txt"}])
def test_one_label_is_one_model(tmp_path: Path, write_result: Callable[..., Path], spec: dict[str, str]) -> None:
    """Whatever runs of other labels, from MNLI or of a baseline stand between."""
    write_result(tmp_path / "1", seed=1)
    write_result(tmp_path / "2-from-mnli", seed=2, model_fingerprint="0" * 64)
    write_result(tmp_path / "3", seed=3, model_fingerprint="1" * 64, **BASELINE, spec=ITS_SPEC)
    write_result(tmp_path / "4", seed=4, model_fingerprint="2" * 64, **BASELINE, spec=ITS_SPEC)
    write_result(tmp_path / "5", seed=5, model_fingerprint="3" * 64, spec={"model": "models/b/export"})
    assert len(find_runs([tmp_path])) == 5
    write_result(tmp_path / "6", seed=6, spec=spec, model_fingerprint=("f" if spec else "e") * 64)
    with pytest.raises(FinetuningError, match=r"/1 and .*/6 are both of a model called a, but started from"):
        find_runs([tmp_path])


def test_a_tokenizer_is_the_same_by_any_path(tmp_path: Path, write_result: Callable[..., Path]) -> None:
    for seed, tokenizer in enumerate(("x/vocab.txt", "x/../x/vocab.txt", Path("x/vocab.txt").resolve())):
        write_result(tmp_path / str(seed), seed=seed, spec={"tokenizer": tokenizer})
    assert len(find_runs([tmp_path])) == 3


def test_runs_from_mnli_may_start_from_different_weights(tmp_path: Path, write_result: Callable[..., Path]) -> None:
    for seed in (1, 2):
        write_result(tmp_path / f"{seed}-from-mnli", task="rte", seed=seed, model_fingerprint=str(seed) * 64)
    assert len({run.setting for run in find_runs([tmp_path])}) == 1


def test_where_nothing_is_the_folders_are_named(tmp_path: Path) -> None:
    for name in ("x", "y"):
        (tmp_path / name).mkdir()
    with pytest.raises(FinetuningError, match=f"no finished run below {tmp_path}/x, {tmp_path}/y; run"):
        find_runs(iter([tmp_path / "x", tmp_path / "y"]))
    with pytest.raises(FinetuningError, match="/z is not a folder"):
        find_runs([tmp_path / "z"])


@pytest.mark.parametrize("text", ["a b", "a\u2028b", "a\u2029b", "a\u0085b", "grün"])
def test_predictions_are_the_lines_of_a_split(one: Callable[..., FinishedRun], text: str) -> None:
    """What Unicode calls a line break is none of a file."""
    run, lines = one(), [{"id": "0", "label": text}, {"id": "1", "label": "no"}]
    answered(run.folder, *lines, split="dev_matched")
    assert predictions(run, "dev_matched") == lines
    with pytest.raises(FinetuningError, match=r"predictions-dev\.jsonl: no such file; .* had no dev split"):
        predictions(run, "dev")


@pytest.mark.parametrize("content", [b'{"id": \n', b"\xff"])
def test_damaged_predictions_are_one_sentence(one: Callable[..., FinishedRun], content: bytes) -> None:
    run = one()
    (run.folder / "predictions-dev.jsonl").write_bytes(content)
    with pytest.raises(FinetuningError, match=r"predictions-dev\.jsonl is damaged \(.*\); delete its run's folder"):
        predictions(run, "dev")


def test_the_best_run_is_the_first_of_equal_ones(tmp_path: Path, write_result: Callable[..., Path]) -> None:
    for seed, score in enumerate((0.5, 0.8, 0.8, 0.7)):
        write_result(tmp_path / str(seed), seed=seed, score=score)
    assert best_run(find_runs([tmp_path])).result.seed == 1


def noted(dev: str, split: str = "dev") -> dict[str, Any]:
    """What a run read, of which the dev file has this hash."""
    file = {"path": "dev.tsv", "bytes": 9, "modified_ns": 1, "sha256": dev * 64}
    return {"inputs": {"task": {} if split == "dev" else {"dev": [split]}, "data": {split: file}}}


@pytest.mark.parametrize(
    ("first", "second", "says"),
    [
        ({"metric": "accuracy"}, {"metric": "f1"}, r"by another metric of cola than .*/0 earlier \(f1 and accuracy\)"),
        ({"dev_rows": 4}, {"dev_rows": 6}, r"on another number of dev rows of cola than .*/0 earlier \(6 and 4\)"),
        (
            noted("a"),
            noted("b"),
            r"on a dev split of other content of cola than .*/a \(bbbbbbbbbbbb and aaaaaaaaaaaa\)",
        ),
        (noted("a", "dev_matched"), noted("b", "dev_matched"), "on a dev split of other content of cola than .*/a "),
    ],
)
def test_scores_of_other_rows_or_metrics_do_not_stand_side_by_side(
    tmp_path: Path, write_result: Callable[..., Path], first: dict[str, Any], second: dict[str, Any], says: str
) -> None:
    write_result(tmp_path / "a", spec={"model": "models/a/export"}, **first)
    write_result(tmp_path / "b", spec={"model": "models/b/export"}, **second)
    # Of what an earlier version read nothing is known: it stands beside either.
    write_result(tmp_path / "0 earlier", seed=9, **(first if "inputs" not in first else {}))
    with pytest.raises(FinetuningError, match=f"/b is scored {says}.*so their scores cannot stand side by side"):
        find_runs([tmp_path])


def test_scores_of_one_content_do_wherever_it_lies(tmp_path: Path, write_result: Callable[..., Path]) -> None:
    write_result(tmp_path / "a", seed=1, **noted("a"))
    write_result(tmp_path / "b", seed=2, **noted("a"))
    write_result(tmp_path / "earlier", seed=3)
    write_result(tmp_path / "other", task="rte", **noted("b"))
    assert len(find_runs([tmp_path])) == 4
