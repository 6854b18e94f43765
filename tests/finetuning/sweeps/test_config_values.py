"""What each key of a sweep may be, what it is where it is left out, and how models and tasks are called."""

from typing import Any

import pytest
from pydantic import ValidationError

from finetuning.errors import FinetuningError
from finetuning.run.specification import RunSpec
from finetuning.sweeps.config import SweepConfig, TaskOverride, labelled_models, task_name
from finetuning.sweeps.grid import plan_runs


def sweep_of(**keys: Any) -> SweepConfig:
    return SweepConfig.model_validate({"models": {"a": "m"}, "output": "o", **keys})


def test_what_a_sweep_is_without_a_word() -> None:
    assert sweep_of().model_dump() == {
        **{"models": {"a": "m"}, "output": "o", "data": None, "grid": "one"},
        # GLUE as table 1 of the paper has it, which leaves WNLI out.
        "tasks": ("cola", "sst2", "mrpc", "stsb", "qqp", "mnli", "qnli", "rte"),
        **{"learning_rates": (3e-5,), "batch_sizes": (32,), "epochs": (3.0,), "seeds": (1, 2, 3)},
        **{"start_from_mnli": (), "mnli_run": "best", "sequence_length": None, "retries": 1},
        **{"first_seeds": None, "keep_settings": None, "options": {}, "task": {}},
    }
    for grid, seeds in (("one", (1, 2, 3)), ("paper", (1, 2, 3, 4, 5)), ("appendix", (1, 2, 3, 4, 5))):
        assert sweep_of(grid=grid).seeds == seeds
    # What a grid says is all that is needed, where nothing else is given.
    assert sweep_of(grid="one") == sweep_of()


# Key: what it may be, and what it may not.
BOUNDS: dict[str, tuple[list[Any], list[Any]]] = {
    "learning_rates": ([(1e-9,), (0.5, 0.999)], [(), (0.0,), (1.0,)]),
    "batch_sizes": ([(1,), (8, 9)], [(), (0,)]),
    "epochs": ([(0.5,), (3,)], [(), (0.0,)]),
    "seeds": ([(0,), (1, 0)], [(), (-1,)]),
    "tasks": ([("rte",), ("rte", "cola")], [(), ("rte", "rte")]),
    "sequence_length": ([8, 512], [7]),
    "retries": ([0, 3], [-1, 0.5]),
    "mnli_run": (["best", "same seed"], ["worst", None]),
    "grid": (["one", "paper"], ["two", 1]),
}


@pytest.mark.parametrize("key", BOUNDS)
def test_least_and_most(key: str) -> None:
    right, wrong = BOUNDS[key]
    for value in right:
        assert getattr(sweep_of(**{key: value}), key) == value
    for value in wrong:
        with pytest.raises(ValidationError):
            sweep_of(**{key: value})


def test_a_rule_keeps_one_setting_after_one_seed_or_more() -> None:
    assert sweep_of(first_seeds=1, keep_settings=1).keep_settings == 1
    for key in ("first_seeds", "keep_settings"):
        with pytest.raises(ValidationError, match=f"{key}\n.*greater than or equal to 1"):
            sweep_of(**{"first_seeds": 1, "keep_settings": 1, key: 0})


@pytest.mark.parametrize(
    ("key", "one", "text", "several"),
    [
        ("learning_rates", 1e-5, "1e-5,2e-5", (1e-5, 2e-5)),
        ("batch_sizes", 8, "8,16", (8, 16)),
        ("epochs", 10, "0.5,10", (0.5, 10.0)),
        ("seeds", 7, "7,8", (7, 8)),
    ],
)
def test_a_task_s_grid_is_a_value_a_text_or_a_list(key: str, one: Any, text: str, several: tuple[Any, ...]) -> None:
    for value, expected in ((one, (one,)), (str(one), (one,)), (text, several), (list(several), several)):
        assert getattr(TaskOverride.model_validate({key: value}), key) == expected
    assert getattr(TaskOverride(), key) is None
    with pytest.raises(ValidationError, match="at least 1 item"):
        TaskOverride.model_validate({key: []})
    with pytest.raises(ValidationError):
        TaskOverride.model_validate({key: {"a": 1}})


def test_options_are_written_with_dashes_or_without() -> None:
    options = {"max-length": 64, "warmup-share": 0.5, "save_model": True, "context": "document"}
    expected = {"sequence_length": 64, "warmup_share": 0.5, "save_model": True, "context": "document"}
    assert sweep_of(options=options).options == TaskOverride(options=options).options == expected
    assert TaskOverride(data="d").model_dump(exclude_none=True) == {"data": "d", "options": {}}
    with pytest.raises(ValidationError, match="valid dictionary"):
        sweep_of(options=["max-length"])


def test_a_sweep_stays_as_it_is_and_knows_its_keys() -> None:
    sweep = sweep_of()
    with pytest.raises(ValidationError, match="frozen"):
        sweep.retries = 3  # type: ignore[misc]
    for model, values in ((SweepConfig, {"models": {"a": "m"}, "output": "o"}), (TaskOverride, {})):
        with pytest.raises(ValidationError, match="Extra inputs are not permitted"):
            model.model_validate({**values, "learning_rate": 1e-5})
        with pytest.raises(ValidationError, match="finite number"):
            model.model_validate({**values, "epochs": [float("inf")]})
    assert SweepConfig.model_fields["retries"].description.startswith("How often a run that crashed is started again")


@pytest.mark.parametrize("label", ["a", "A1", "0", "bert-base_v1.5"])
def test_a_label_is_the_name_of_a_folder(label: str) -> None:
    assert sweep_of(models={label: "m"}).models == {label: "m"}
    for wrong in (f"-{label}", f".{label}", f"{label} b", f"{label}/b", f"{label}é", f"{label}\n", ""):
        with pytest.raises(ValidationError, match="must be letters, digits"):
            sweep_of(models={label: "m", wrong: "m"})


def test_starts_of_the_same_seed_need_mnli_s_seeds_alone() -> None:
    keys = {"tasks": ("mnli", "rte", "cola"), "start_from_mnli": ("rte",), "seeds": (1, 2)}
    tasks = {"mnli": {"seeds": (1, 2, 3)}, "rte": {"seeds": (3,)}, "cola": {"seeds": (9,)}}
    assert sweep_of(**keys, task=tasks, mnli_run="same seed").mnli_run == "same seed"
    assert sweep_of(**keys, task={"rte": {"seeds": (9,)}}).mnli_run == "best"  # which shares one start anyway
    assert sweep_of(**keys, mnli_run="same seed").task == {}


@pytest.mark.parametrize(
    ("folder", "label"),
    [
        ("runs/a/export", "a"),
        ("runs/a/model", "a"),
        ("export", "export"),
        ("model", "model"),
        ("models/bert.v1", "bert"),
        ("/", "model"),
        ("random:configs/tiny.json", "random-tiny"),
        ("random:tiny.json", "random-tiny"),
        ("random:/", "random-model"),
    ],
)
def test_a_model_without_a_label_is_named_for_its_folder(folder: str, label: str) -> None:
    assert labelled_models(folder) == {label: folder}
    assert labelled_models(f"x={folder},y=a=b") == {"x": folder, "y": "a=b"}


def test_the_name_of_a_task_or_of_its_file() -> None:
    assert [task_name(task) for task in ("rte", "x/my.task.toml", "own.toml", "x/toml")] == [
        *("rte", "my.task", "own", "x/toml")
    ]


GRID = ("task", "model", "output", "data", "learning_rate", "batch_size", "epochs", "seed")


def test_whatever_the_grid_does_not_say_may_be_an_option() -> None:
    for name in GRID:
        with pytest.raises(FinetuningError, match=f"unknown option '{name}' of a run"):
            plan_runs(sweep_of(options={name: 1}))
    options = {name: 1 for name in RunSpec.model_fields if name not in GRID}
    (run, *_) = plan_runs(sweep_of(options=options, tasks=("cola",)))
    assert run.options == tuple(sorted(options.items()))
