"""What a sweep can be asked to do, and what is refused in one sentence."""

import re
from argparse import Namespace
from collections.abc import Callable
from pathlib import Path

import pytest

from finetuning.errors import FinetuningError
from finetuning.sweep import main, parse_sweep
from finetuning.sweeps.config import SweepConfig
from finetuning.sweeps.grid import plan_runs
from finetuning.sweeps.stages import split_stages
from preprocessing.arguments import build_model

BAD = {
    "no models": ({"models": {}}, "at least one model"),
    "a label that is no folder name": ({"models": {"a/b": "x"}}, "label 'a/b'"),
    "a task twice": ({"tasks": ("cola", "cola")}, "listed twice"),
    "a task file twice": ({"tasks": ("cola", "x/cola.toml")}, "listed twice"),
    "a task that is not swept": ({"task": {"mnli": {}}}, "'mnli' is configured but not among"),
    "a start of a task that is not swept": (
        {"tasks": ("mnli", "rte"), "start_from_mnli": ("cola",)},
        "'cola' is configured but not among",
    ),
    "MNLI from itself": ({"tasks": ("mnli", "rte"), "start_from_mnli": ("rte", "mnli")}, "mnli cannot start from"),
    "a seed that MNLI has not of its own": (
        {
            "tasks": ("mnli", "rte"),
            "start_from_mnli": ("rte",),
            "mnli_run": "same seed",
            "task": {"mnli": {"seeds": [2, 3]}},
        },
        "rte has the seed 1, which mnli has not",
    ),
    "a seed that MNLI has not": (
        {
            "tasks": ("mnli", "rte"),
            "start_from_mnli": ("rte",),
            "mnli_run": "same seed",
            "task": {"rte": {"seeds": [1, 9]}},
        },
        "rte has the seed 9, which mnli has not",
    ),
    "from MNLI without MNLI": ({"start_from_mnli": ("rte",)}, "needs the task mnli"),
    "half of a rule": ({"first_seeds": 2}, "go together"),
    "the other half": ({"keep_settings": 2}, "go together"),
    "two names of a length": (
        {"options": {"max-length": 64, "sequence_length": 64}},
        "max_length and sequence_length are the same; write one of them",
    ),
    "no seeds": ({"seeds": ()}, "seeds"),
    "a rate of 5": ({"learning_rates": (5.0,)}, "--learning-rates 5.0: "),
}


@pytest.mark.parametrize("name", BAD)
def test_a_wrong_sweep_is_refused(tmp_path: Path, name: str):
    changes, says = BAD[name]
    values = {"models": {"a": "x"}, "tasks": ("cola", "rte"), "output": str(tmp_path)}
    with pytest.raises(FinetuningError, match=re.escape(says)):
        build_model(SweepConfig, Namespace(**(values | changes)), FinetuningError)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("models = {a = 'x'}\noutput = 'o'\nlearning_rate = [1e-5]", "did you mean learning_rates?"),
        ("models = ", "is not TOML"),
        ("models = {a = 'x'}\noutput = 'o'\nfirst_seeds = 0", "first_seeds = 0: input should be greater"),
    ],
)
def test_a_wrong_sweep_file_is_refused(write_lines: Callable[..., Path], text: str, says: str, capsys):
    path = write_lines("sweep.toml", text)
    assert main(["--config", str(path), "--count"]) == 2
    error = capsys.readouterr().err
    assert says in error
    assert "sweep.toml" in error


def test_an_option_of_the_command_line_leaves_the_others_of_the_file(write_lines: Callable[..., Path], tmp_path: Path):
    path = write_lines(
        "s.toml",
        "models = {a = 'x'}",
        "output = 'o'",
        "tasks = ['cola', 'rte']",
        "options = {sequence-length = 64, dropout = 0.2}",
        "[task.rte.options]",
        "sequence-length = 256",
    )
    given = ("--options.sequence_length", "96", "--options.warmup-share=0")
    runs = plan_runs(parse_sweep(["--config", str(path), *given])[0])
    options = {
        (spec.task, spec.sequence_length, spec.dropout, spec.warmup_share)
        for spec in (run.spec(tmp_path) for run in runs)
    }
    assert options == {("cola", 96, 0.2, 0.0), ("rte", 256, 0.2, 0.0)}  # the task's own table wins
    broken = write_lines("b.toml", "models = {a = 'x'}", "output = 'o'", "options = 3")
    with pytest.raises(FinetuningError, match="options = 3: input should be a valid dictionary"):
        parse_sweep(["--config", str(broken)])
    with pytest.raises(FinetuningError, match="--models is missing"):
        parse_sweep(["--output", "o"])


def test_the_documented_sweep_is_valid(repository: Path, tmp_path: Path):
    text = (repository / "docs" / "sweeps.md").read_text()
    (example,) = re.findall(r"```toml\n(.*?)```", text, flags=re.DOTALL)
    (tmp_path / "sweep.toml").write_text(example)
    sweep, _ = parse_sweep(["--config", str(tmp_path / "sweep.toml")])
    runs = plan_runs(sweep)
    assert [len(stage) for stage in split_stages(runs, sweep)] == [2 * 4 * 2 * 2 * 2, 2 * 4 * 2 * 3 * 2] + [
        2 * 4 * 2 * 2 * 3,
        2 * 4 * 2 * 3 * 3,
    ]
    assert all(run.spec(tmp_path).stop_failed_after == 1 for run in runs)


def test_a_task_of_the_command_line_has_its_own_grid():
    words = ["--models", "x", "--output", "o", "--tasks", "cola,rte", "--task.rte.epochs", "10", "--task.rte.seeds=7,8"]
    sweep, _ = parse_sweep([*words, "--task.rte.options.sequence-length=64"])
    assert (sweep.task["rte"].epochs, sweep.task["rte"].seeds) == ((10.0,), (7, 8))
    assert sweep.task["rte"].options == {"sequence_length": 64}


def test_models_are_named_for_their_folders():
    words = ["--tasks", "cola", "--output", "o"]
    given = "runs/a/export,b=models/b,random:c.json"
    assert parse_sweep([*words, "--models", given])[0].models == {
        "a": "runs/a/export",
        "b": "models/b",
        "random-c": "random:c.json",
    }
    assert parse_sweep([*words, "--models.d", "models/d"])[0].models == {"d": "models/d"}
    with pytest.raises(FinetuningError, match="two models are called 'a'"):
        parse_sweep([*words, "--models", "x/a,y/a"])


def test_a_number_without_end_is_refused() -> None:
    words = ["--models", "a=m", "--tasks", "cola", "--output", "o"]
    for option in ("--epochs", "--learning-rates"):
        with pytest.raises(FinetuningError, match=f"{option} inf: input should be a finite number"):
            parse_sweep([*words, option, "inf"])
    sweep, _ = parse_sweep([*words, "--options.dropout", "nan"])
    with pytest.raises(FinetuningError, match="bad value for the option 'dropout' of cola"):
        plan_runs(sweep)[0].spec(Path("o"))


@pytest.mark.parametrize(
    ("words", "rates", "sizes", "epochs", "seeds"),
    [
        # Without a word: small.
        ((), (3e-5,), (32,), (3,), 3),
        # Devlin et al. 2019, 4.1: "a batch size of 32 and fine-tune for 3 epochs […] 5e-5, 4e-5, 3e-5, and 2e-5".
        (("--grid", "paper"), (5e-5, 4e-5, 3e-5, 2e-5), (32,), (3,), 5),
        # A.3: "Batch size: 16, 32. Learning rate (Adam): 5e-5, 3e-5, 2e-5. Number of epochs: 2, 3, 4".
        (("--grid", "appendix"), (5e-5, 3e-5, 2e-5), (16, 32), (2, 3, 4), 5),
        (("--grid", "paper", "--seeds", "7", "--epochs", "2"), (5e-5, 4e-5, 3e-5, 2e-5), (32,), (2,), 1),
        (("--batch-sizes", "8"), (3e-5,), (8,), (3,), 3),
    ],
)
def test_a_grid_is_what_is_left_out(
    words: tuple[str, ...], rates: tuple[float, ...], sizes: tuple[int, ...], epochs: tuple[float, ...], seeds: int
) -> None:
    sweep, _ = parse_sweep(["--models", "a=m", "--tasks", "cola", "--output", "o", *words])
    assert (sweep.learning_rates, sweep.batch_sizes, sweep.epochs) == (rates, sizes, epochs)
    assert len(sweep.seeds) == seeds
    assert len(plan_runs(sweep)) == len(rates) * len(sizes) * len(epochs) * seeds
    assert SweepConfig.model_validate(sweep.model_dump()) == sweep


def test_a_grid_of_another_name_is_refused() -> None:
    with pytest.raises(FinetuningError, match=r"--grid.*huge.*one.*paper.*appendix"):
        parse_sweep(["--models", "a=m", "--tasks", "cola", "--output", "o", "--grid", "huge"])


def test_lists_of_the_command_line_have_commas() -> None:
    words = ["--models", "a=m", "--output", "o", "--tasks", "mnli,rte,cola", "--start-from-mnli", "rte,cola"]
    sweep, _ = parse_sweep([*words, "--max-length", "64"])
    assert (sweep.tasks, sweep.start_from_mnli) == (("mnli", "rte", "cola"), ("rte", "cola"))
    assert sweep.sequence_length == 64
