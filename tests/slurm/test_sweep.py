"""A sweep as arrays on a real Slurm: runs that fail, are preempted, run out of time or memory, and what is said of it.

The cluster has no control groups, so no kernel counts a job's memory. What stands for its limit is `ulimit -v` in the
shell that submits, which Slurm hands on to jobs: the run's own allocation fails, as it does on a full GPU.
"""

import json
import re
import string
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

pytestmark = [pytest.mark.slow, pytest.mark.root, pytest.mark.slurm, pytest.mark.timeout(1500)]

MOST_TASKS = 3
MEMORY_KIB = 1_450_000
"""Enough for a run (0.9 GB), not for the one that wants much (2.1 GB)."""
RESOURCES = "--gpus=0 --cpus-per-task=1 --mem-per-cpu=1500M --time=10"

TASK = """
kind = "classification"
metric = "accuracy"
labels = ["no", "yes"]
columns = {{text_a = "text", label = "label"}}
splits = {{train = "{name}.jsonl", dev = "quick.jsonl"}}
"""
SWEEP = """
output = "FOLDER/sweep"
tasks = ["FOLDER/quick.toml", "FOLDER/wrong.toml", "FOLDER/slow.toml", "FOLDER/hungry.toml"]
learning_rates = [1e-3]
batch_sizes = [32]
epochs = [1]
seeds = [1, 2]
first_seeds = 1
keep_settings = 1
options = {threads = 1}
[models]
tiny = "random:FOLDER/model/config.json"
[task.slow]
epochs = [400]
[task.hungry]
seeds = [1]
batch_sizes = [1024]
options = {micro_batch_pieces = 1000000}
"""

ALONE = """
output = "FOLDER/sweep"
tasks = ["FOLDER/slow.toml"]
learning_rates = [1e-3]
epochs = [400]
seeds = [1]
options = {threads = 1}
models = {tiny = "random:FOLDER/model/config.json"}
"""


@pytest.fixture(scope="module")
def slurm_settings() -> Mapping[str, str | int]:
    return {"MaxArraySize": MOST_TASKS}


def write_rows(folder: Path, name: str, count: int, words: int, **more: Any) -> None:
    rows = [
        {"text": " ".join(chr(97 + (number * 7 + word * word) % 26) for word in range(words)), "id": number}
        | ({"label": ("no", "yes")[number % 2]} if more.get("labelled", True) else {})
        for number in range(count)
    ]
    (folder / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))


@pytest.fixture
def sweep(tmp_path: Path) -> Path:
    """A folder with a sweep of four tasks; one of them has no labels."""
    model = tmp_path / "model"
    model.mkdir()
    letters = string.ascii_lowercase
    pieces = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", *letters, *(f"##{letter}" for letter in letters)]
    (model / "vocab.txt").write_text("\n".join(pieces) + "\n")
    config = {"vocab_size": len(pieces), "hidden_size": 32, "num_hidden_layers": 2, "num_attention_heads": 2}
    (model / "config.json").write_text(json.dumps(config | {"intermediate_size": 64, "max_position_embeddings": 128}))
    for name, count, words in (("quick", 32, 3), ("wrong", 32, 3), ("slow", 64, 3), ("hungry", 1024, 120)):
        (tmp_path / f"{name}.toml").write_text(TASK.format(name=name))
        write_rows(tmp_path, name, count, words, labelled=name != "wrong")
    (tmp_path / "sweep.toml").write_text(SWEEP.replace("FOLDER", str(tmp_path)))
    return tmp_path


def command(cluster: Any, folder: Path, name: str, *words: str) -> "subprocess.CompletedProcess[str]":
    line = [sys.executable, "-m", f"finetuning.{name}", *words]
    return subprocess.run(
        line, env=cluster.environment, cwd=cluster.repository, capture_output=True, text=True, check=True
    )


def submit(cluster: Any, folder: Path, *, memory: int | None = None) -> list[tuple[str, str]]:
    """The arrays of the sweep, submitted as a user does it: the number of each, and its tasks."""
    script = command(
        cluster, folder, "sweep", "--config", f"{folder}/sweep.toml", "--slurm", "--jobs=2", f"--sbatch={RESOURCES}"
    )
    limit = f"ulimit -v {memory}\n" if memory else ""
    said = cluster.ask("bash", "-c", limit + script.stdout)
    return re.findall(r"^job (\d+), \S+: tasks (\S+)$", said, flags=re.MULTILINE)


def tasks_of(cluster: Any, *arrays: str) -> list[dict[str, str]]:
    """What Slurm says of every task of some arrays."""
    lines = [cluster.ask("scontrol", "-o", "show", "job", array) for array in arrays]
    return [dict(re.findall(r"(\w+)=(\S+)", line)) for line in "".join(lines).splitlines()]


def until(condition: Callable[[], bool], what: Callable[[], object], seconds: float = 400.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, what()
        time.sleep(0.3)


def logs_of(folder: Path, task: str, seed: int) -> Path:
    (logs,) = (folder / "sweep" / "logs" / "tiny" / task).glob(f"*-seed{seed}")
    return logs


def said(folder: Path, task: str, seed: int) -> str:
    found = list((folder / "sweep" / "logs" / "tiny" / task).glob(f"*-seed{seed}/output.txt"))
    return found[0].read_text() if found else ""


def results(folder: Path) -> dict[str, int]:
    """Task and seed of every result, and when it was written."""
    found = (folder / "sweep" / "tiny").rglob("result.json")
    return {f"{path.parts[-3]} {path.parent.name[-1]}": path.stat().st_mtime_ns for path in found}


def everything(folder: Path) -> str:
    files = [path for path in sorted((folder / "sweep" / "logs").rglob("*")) if path.is_file()]
    return "\n".join(f"== {path}\n{path.read_text()}" for path in files)


def test_hurt_runs_go_on_and_what_failed_is_said_and_runs_alone_once_mended(cluster: Any, sweep: Path) -> None:
    arrays = submit(cluster, sweep, memory=MEMORY_KIB)
    # The first seeds are four runs, more than the cluster takes as one array; then those of the further seeds.
    assert [tasks for _, tasks in arrays] == ["0-2%2", "0%2", "0-2%2"]
    numbers = [number for number, _ in arrays]
    # What is queued is what runs, whatever becomes of the files.
    (sweep / "sweep.toml").rename(sweep / "kept.toml")
    for name in ("quick", "slow"):
        (sweep / f"{name}.toml").write_text("spoilt")

    def all_over() -> bool:
        return all(task["JobState"] in ("COMPLETED", "FAILED") for task in tasks_of(cluster, *numbers))

    def trains(seed: int) -> Callable[[], bool]:
        return lambda: "none of 64 rows is cut" in said(sweep, "slow", seed)

    until(trains(1), lambda: everything(sweep))
    time.sleep(2)
    host = json.loads((logs_of(sweep, "slow", 1) / "attempts.jsonl").read_text())["host"]
    high = cluster.ask(
        *("sbatch", "--parsable", "--partition=high", f"--nodelist={host}", "--exclusive", "--output=/dev/null"),
        "--wrap=sleep 1",
    )
    until(trains(2), lambda: everything(sweep))
    time.sleep(2)
    last = json.loads((logs_of(sweep, "slow", 2) / "attempts.jsonl").read_text())["job"]
    cluster.ask("scancel", "--batch", "--signal=USR1", last)
    until(all_over, lambda: (tasks_of(cluster, *numbers), everything(sweep)))

    assert tasks_of(cluster, high.strip())[0]["JobState"] == "COMPLETED"
    assert results(sweep).keys() == {"quick 1", "quick 2", "slow 1", "slow 2"}
    for seed in (1, 2):
        assert "interrupted: saved after step" in said(sweep, "slow", seed)
        assert "goes on after step" in said(sweep, "slow", seed)
    restarts = {f"{task['ArrayJobId']}_{task['ArrayTaskId']}": task["Restarts"] for task in tasks_of(cluster, *numbers)}
    assert restarts[last] == "1", "requeued by its script"
    assert ": back into the queue\n" in everything(sweep), "at once"
    assert "for 60 seconds" not in everything(sweep)
    others = [restarts[f"{numbers[2]}_{index}"] for index in range(3) if f"{numbers[2]}_{index}" != last]
    assert others == ["0", "0"], "and no other task with it"

    command(cluster, sweep, "report", f"{sweep}/sweep")
    missing = json.loads((sweep / "sweep" / "report.json").read_text())["missing_runs"]
    why = {tuple(Path(run["folder"]).parts[-2:]): run for run in missing}
    assert {(task, run[-1]): why[task, run]["reason"] for task, run in why} == {
        ("wrong", "1"): "wrong input",
        ("wrong", "2"): "left out",
        ("hungry", "1"): "out of memory",
    }
    page = (sweep / "sweep" / "report.md").read_text()
    assert "out of memory" in page
    assert "label" in page

    # Mended, and with the memory that it wants: the same command submits what is missing, and nothing is done twice.
    for name in ("quick", "slow"):
        (sweep / f"{name}.toml").write_text(TASK.format(name=name))
    (sweep / "kept.toml").rename(sweep / "sweep.toml")
    write_rows(sweep, "wrong", 32, 3)
    before = results(sweep)
    arrays = submit(cluster, sweep)
    assert [tasks for _, tasks in arrays] == ["0,2%2", "0%2"], "the first seeds of wrong and hungry; wrong's second"
    until(lambda: len(results(sweep)) == 7, lambda: everything(sweep))
    assert {name: written for name, written in results(sweep).items() if name in before} == before
    assert submit(cluster, sweep) == []


def test_a_run_whose_node_dies_starts_again_on_another(cluster: Any, sweep: Path) -> None:
    (sweep / "sweep.toml").write_text(ALONE.replace("FOLDER", str(sweep)))
    ((number, _),) = submit(cluster, sweep)
    until(lambda: "none of 64 rows is cut" in said(sweep, "slow", 1), lambda: everything(sweep))
    attempts = logs_of(sweep, "slow", 1) / "attempts.jsonl"
    host = json.loads(attempts.read_text())["host"]
    cluster.crash(host)
    until(lambda: results(sweep).keys() == {"slow 1"}, lambda: (tasks_of(cluster, number), everything(sweep)))
    hosts = [json.loads(line)["host"] for line in attempts.read_text().splitlines()]
    assert hosts == [host, {"n1": "n2", "n2": "n1"}[host]], "its lock died with it"
    cluster.boot(host)
