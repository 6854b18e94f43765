"""A sweep that was begun, and is started again after something changed; and what ends one.

Runs are stand-ins that leave a result at once, or wait to be ended.
"""

import errno
import json
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil
import pytest

from finetuning.run.specification import RunSpec
from finetuning.sweep import main

RUN = """
import json, pathlib, sys
spec, result = json.loads(sys.argv[1]), json.loads(pathlib.Path(sys.argv[2]).read_text())
grid = {name: spec[name] for name in ("task", "model", "learning_rate", "batch_size", "epochs", "seed")}
folder = pathlib.Path(spec["output"])
folder.mkdir(parents=True, exist_ok=True)
if spec["save_model"]:
    (folder / "model").mkdir(exist_ok=True)
(folder / "result.json").write_text(json.dumps(result | grid | {"spec": spec}))
"""


@pytest.fixture
def sweep(
    tmp_path: Path, write_result: Callable[..., Path], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture
):
    """sweep(*words, **keys) → exit code, what was said and warned, with the keys of the sweep's file."""
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "")
    result = write_result(tmp_path / "a result") / "result.json"
    monkeypatch.setattr(
        "finetuning.sweeps.whole_sweep.run_command",
        lambda spec: [sys.executable, "-S", "-c", RUN, spec.model_dump_json(), str(result)],
    )
    usual = {"models": {"a": "one"}, "tasks": ["cola"], "output": str(tmp_path / "a swéép"), "seeds": [1]}

    def run(*words: str, **keys: Any) -> tuple[int, str, str]:
        lines = [f"{key} = {_toml(value)}" for key, value in (usual | keys).items() if value is not None]
        (tmp_path / "sweep.toml").write_text("\n".join(lines))
        code = main(["--config", str(tmp_path / "sweep.toml"), "--jobs", "2", *words])
        said = capsys.readouterr()
        return code, said.out, said.err

    return run


def _toml(value: Any) -> str:
    if isinstance(value, dict):
        return "{" + ", ".join(f"{key} = {_toml(item)}" for key, item in value.items()) + "}"
    return json.dumps(value)


CHANGES: dict[str, tuple[dict[str, Any], str]] = {
    "another model under the label": ({"models": {"a": "two"}}, "holds a run with model one, this sweep asks for two"),
    "one model more": ({"models": {"a": "one", "b": "two"}}, "1 finished, 1 there"),
    "one task more": ({"tasks": ["cola", "rte"]}, "1 finished, 1 there"),
    "another task": ({"tasks": ["rte"]}, "1 finished, 0 there"),
    "data": ({"data": "elsewhere"}, "holds a run with data None, this sweep asks for elsewhere"),
    "the grid": ({"grid": "paper"}, "3 finished, 1 there"),
    "learning rates": ({"learning_rates": [3e-5, 1e-5]}, "1 finished, 1 there"),
    "batch sizes": ({"batch_sizes": [32, 16]}, "1 finished, 1 there"),
    "epochs": ({"epochs": [1, 3]}, "1 finished, 1 there"),
    "seeds": ({"seeds": [1, 2]}, "1 finished, 1 there"),
    "length": ({"sequence_length": 64}, "holds a run with sequence_length None, this sweep asks for 64"),
    "length by its other name": ({"max_length": 64}, "holds a run with sequence_length None, this sweep asks for 64"),
    "retries": ({"retries": 3}, "0 finished, 1 there"),
    "a rule for seeds": ({"first_seeds": 1, "keep_settings": 1}, "0 finished, 1 there"),
    "an option of the score": (
        {"options": {"dropout": 0.2}},
        "with dropout None, this sweep asks for 0.2; set dropout",
    ),
    "an option without effect": ({"options": {"micro_batch_pieces": 99, "threads": 1}}, "0 finished, 1 there"),
    "an option of what is kept": ({"options": {"save_model": True}}, "without what is asked for since (save_model)"),
    "what is kept no more": ({"options": {"predict_test": False}}, "0 finished, 1 there"),
    "a key of one task": ({"task": {"cola": {"options": {"warmup_share": 0.3}}}}, "with warmup_share 0.1, this sweep"),
    "a start from MNLI": ({"tasks": ["cola", "mnli"], "start_from_mnli": ["cola"]}, "2 finished, 0 there"),
}


@pytest.mark.parametrize("name", CHANGES)
def test_a_file_that_changed_between_two_starts_goes_on_or_is_refused_in_one_sentence(sweep, name: str) -> None:
    keys, says = CHANGES[name]
    assert sweep()[0] == 0
    code, said, warned = sweep(**keys)
    if says[0].isdigit():
        finished, there = says.replace(" there", "").split(" finished, ")
        assert (code, said.splitlines()[-1]) == (0, f"{finished} runs finished, {there} were there, 0 failed")
    elif "asked for since" in says:
        assert code == 0
        assert says in warned
    else:
        assert code == 2
        assert says in warned.splitlines()[-1]
        assert "finished" not in said
    assert sweep()[1].splitlines()[-1] == "0 runs finished, 1 were there, 0 failed", "what was there is as it was"


def test_what_changed_is_said_and_the_earlier_plan_goes_on(sweep, tmp_path: Path) -> None:
    sweep(seeds=[1])
    assert "another sweep" not in sweep()[2]
    code, _, warned = sweep(seeds=[1, 2], retries=2)
    assert code == 0
    (earlier,) = (
        path for path in (tmp_path / "a swéép" / "plans").glob("*.json") if '"retries": 1' in path.read_text()
    )
    assert "another sweep than the one last begun" in warned
    assert "seeds was [1], now [1, 2]; retries was 1, now 2" in warned
    assert f"--plan '{earlier}' goes on with that one" in warned
    assert main(["--plan", str(earlier), "--dry-run"]) == 0


def test_an_edit_of_a_task_file_changes_nothing_of_a_sweep_that_was_begun(sweep, tmp_path: Path) -> None:
    task = tmp_path / "polite.toml"
    text = (
        'kind = "classification"\nmetric = "accuracy"\nlabels = ["no", "yes"]\n'
        'columns = {text_a = "t", label = "l"}\nsplits = {train = "t.jsonl", dev = "d.jsonl"}\n'
    )
    task.write_text(text)
    assert sweep(tasks=[str(task)], seeds=[1])[0] == 0
    (plan,) = (tmp_path / "a swéép" / "plans").glob("*.json")
    task.write_text(text.replace("yes", "maybe"))
    code, _, warned = sweep(tasks=[str(task)], seeds=[1, 2])
    assert code == 2
    assert "holds a run with task" in warned  # the stand-in notes nothing of what it read
    assert main(["--plan", str(plan)]) == 0


def test_what_is_asked_for_later_is_made_again_when_that_is_said(sweep, tmp_path: Path) -> None:
    sweep(seeds=[1, 2])
    options = {"save_model": True}
    code, said, warned = sweep(seeds=[1, 2, 3], options=options)
    assert (code, said.splitlines()[-1]) == (0, "1 runs finished, 2 were there, 0 failed")
    assert "2 runs of" in warned
    assert "their scores stand; --again makes these runs again" in warned
    said = sweep("--again", "--dry-run", seeds=[1, 2, 3], options=options)[1]
    assert "2 to do" in said
    assert said.count("│ again │") == 2
    code, said, warned = sweep("--again", seeds=[1, 2, 3], options=options)
    assert (code, said.splitlines()[-1]) == (0, "2 runs finished, 1 were there, 0 failed")
    assert "asked for since" not in warned
    assert len(list((tmp_path / "a swéép").rglob("model"))) == 3
    assert not list((tmp_path / "a swéép").rglob("*.replaced"))


def test_a_start_from_mnli_that_comes_later_makes_the_best_run_again_alone(sweep, tmp_path: Path) -> None:
    sweep(tasks=["mnli"], seeds=[1, 2, 3])
    keys = {"tasks": ["mnli", "rte"], "seeds": [1, 2, 3], "start_from_mnli": ["rte"]}
    code, said, warned = sweep(**keys)
    assert code == 1
    assert "which has no model in it: --again" in warned
    code, said, _ = sweep("--again", **keys)
    assert (code, said.splitlines()[-1]) == (0, "4 runs finished, 2 were there, 0 failed")


def test_a_dry_run_says_what_would_be_done_and_leaves_nothing(sweep, tmp_path: Path) -> None:
    code, said, _ = sweep("--dry-run", seeds=[1, 2])
    assert code == 0
    assert said.count("due") == 2
    assert "2 runs: 0 are there, 2 to do\n2 at once on the CPU" in said
    assert not (tmp_path / "a swéép").exists()
    sweep()
    assert "1 are there, 1 to do" in sweep("--dry-run", seeds=[1, 2])[1]
    code, _, warned = sweep("--dry-run", options={"dropout": 0.5})
    assert code == 2
    assert "with dropout None" in warned
    for others in (["--slurm"], ["--array-index", "0"]):
        assert sweep("--dry-run", *others)[0] == 2


def test_a_quiet_sweep_says_how_many_runs_did_and_no_more(sweep) -> None:
    assert sweep("--quiet", seeds=[1, 2])[1] == "2 runs finished, 0 were there, 0 failed\n"


def test_a_sweep_that_was_copied_to_another_place_goes_on_there(sweep, tmp_path: Path) -> None:
    sweep(seeds=[1, 2], tasks=["mnli", "rte"], start_from_mnli=["rte"])
    copy = shutil.copytree(tmp_path / "a swéép", tmp_path / "other place")
    code, said, warned = sweep(output=str(copy), seeds=[1, 2], tasks=["mnli", "rte"])
    assert (code, warned) == (0, warned)
    assert said.splitlines()[-1] == "2 runs finished, 2 were there, 0 failed"
    assert "output" not in warned


def test_a_folder_that_cannot_be_written_is_refused_before_anything_starts(sweep, tmp_path: Path, monkeypatch) -> None:
    (tmp_path / "file").write_text("")
    code, _, warned = sweep(output=str(tmp_path / "file" / "sweep"))
    assert code == 2
    assert len(warned.strip().splitlines()) == 1
    code, _, warned = sweep(output="/proc/sweep")
    assert code == 2
    assert "Cannot write /proc/sweep" in warned


NOTES = """
import json, pathlib, sys
from finetuning.run.identity.inputs import inputs_of
from finetuning.run.specification import RunSpec
spec = RunSpec.model_validate_json(sys.argv[1])
folder = pathlib.Path(sys.argv[2]).parent
result = json.loads(pathlib.Path(sys.argv[2]).read_text()) | {"inputs": inputs_of(spec).model_dump(mode="json")}
pathlib.Path(sys.argv[2]).write_text(json.dumps(result))
"""


def test_data_that_change_while_a_sweep_runs_are_noticed_in_the_end(
    sweep, tmp_path: Path, write_result: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    result = write_result(tmp_path / "a result") / "result.json"
    (data := tmp_path / "data").mkdir()
    for split in ("train", "dev"):
        (data / f"{split}.tsv").write_text("gj04\t1\t\tthe cat sat\n")
    program = (
        f"argv = sys.argv[:]; exec({RUN!r}); sys.argv = ['', argv[1], str(folder / 'result.json')]; exec({NOTES!r})"
    )

    def command(spec: RunSpec) -> list[str]:
        change = f"open({str(data / 'dev.tsv')!r}, 'a').write('gj04\\t0\\t*\\the sat\\n')" if spec.seed == 2 else ""
        return [sys.executable, "-c", f"import sys; {program}\n{change}", spec.model_dump_json(), str(result)]

    monkeypatch.setattr("finetuning.sweeps.whole_sweep.run_command", command)
    assert "changed while" not in sweep(data=str(data), seeds=[1])[2]
    _, said, warned = sweep(data=str(data), seeds=[1, 2])
    assert said.splitlines()[-1] == "1 runs finished, 1 were there, 0 failed"
    assert "changed while the sweep ran, so that its runs cannot be compared" in warned
    assert sweep(data=str(data), seeds=[1, 2])[0] == 2


def test_a_finished_sweep_writes_nothing_where_nothing_may_be_written(sweep, monkeypatch: pytest.MonkeyPatch) -> None:
    sweep(seeds=[1, 2])

    def read_only(target: Path, *_: object, **__: object) -> None:
        raise OSError(errno.EROFS, "Read-only file system", str(target))

    for module in ("table", "plan"):
        monkeypatch.setattr(f"finetuning.sweeps.{module}.write_json", read_only)
    code, said, _ = sweep(seeds=[1, 2])
    assert (code, said.splitlines()[-1]) == (0, "0 runs finished, 2 were there, 0 failed")
    code, _, warned = sweep(seeds=[1, 2, 3])
    assert code == 2
    assert "Read-only file system" in warned.splitlines()[-1]


WAITS = """
import sys
from finetuning.sweeps import whole_sweep
from finetuning.sweep import main
program = "import signal, sys, time; [signal.signal(n, signal.SIG_IGN) for n in (2, 15)]; print('here', flush=True); "
program += "time.sleep(600)"
whole_sweep.run_command = lambda spec: [sys.executable, "-S", "-c", program, str(spec.output)]
sys.exit(main(sys.argv[1:]))
"""


def wait_for(what: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not what():
        assert time.monotonic() < deadline, "it never came"
        time.sleep(0.05)


def test_ctrl_c_waits_for_runs_to_save_and_a_second_one_does_not(tmp_path: Path, repository: Path) -> None:
    words = ["--models", "a=x", "--tasks", "cola", "--seeds", "1,2", "--jobs", "2", "--output", str(tmp_path / "o")]
    with (tmp_path / "said").open("w") as said:
        sweep = subprocess.Popen(
            [sys.executable, "-c", WAITS, *words],
            cwd=repository,
            env={**os.environ, "CUDA_VISIBLE_DEVICES": ""},
            stdout=said,
            stderr=said,
            start_new_session=True,
        )
    try:
        wait_for(lambda: sum("here" in file.read_text() for file in (tmp_path / "o").rglob("output.txt")) == 2)
        runs = psutil.Process(sweep.pid).children()
        assert len(runs) == 2
        sweep.send_signal(signal.SIGINT)
        wait_for(lambda: "ending 2 runs" in (tmp_path / "said").read_text())
        sweep.send_signal(signal.SIGTERM)  # Slurm sends it after its warning, and means the same end
        time.sleep(0.5)
        assert sweep.poll() is None
        assert all(run.is_running() for run in runs)
        sweep.send_signal(signal.SIGINT)
        assert sweep.wait(60) == 75
        assert not any(run.is_running() for run in runs)
    finally:
        if sweep.poll() is None:
            os.killpg(sweep.pid, signal.SIGKILL)
            sweep.wait()
    assert (tmp_path / "said").read_text().splitlines()[-1].startswith("interrupted")


def test_two_sweeps_on_one_folder_make_each_run_once(tmp_path: Path, write_result, repository: Path) -> None:
    spec = RunSpec(task="cola", model="x", output=tmp_path / "o")
    result = write_result(tmp_path / "a result", spec=spec.model_dump()) / "result.json"
    program = (
        "import sys; from finetuning.sweeps import whole_sweep; from finetuning.sweep import main\n"
        f"run = [sys.executable, '-S', '-c', 'import time; time.sleep(0.3)\\n' + {RUN!r}]\n"
        f"whole_sweep.run_command = lambda spec: [*run, spec.model_dump_json(), {str(result)!r}]\n"
        "sys.exit(main(sys.argv[1:]))"
    )
    words = ["--models", "a=x", "--tasks", "cola", "--seeds", "1,2,3,4", "--jobs", "2", "--output", str(tmp_path / "o")]
    environment = {**os.environ, "CUDA_VISIBLE_DEVICES": ""}
    both = [
        subprocess.Popen([sys.executable, "-c", program, *words], cwd=repository, env=environment, stdout=-1, stderr=-1)
        for _ in range(2)
    ]
    said = [sweep.communicate(timeout=60) for sweep in both]
    assert [sweep.returncode for sweep in both] == [0, 0], said
    attempts = [len(file.read_text().splitlines()) for file in (tmp_path / "o").rglob("attempts.jsonl")]
    assert attempts == [1, 1, 1, 1]
