"""Job arrays of a plan: what is missing, in pieces that the cluster takes, in order."""

import json
import os
import re
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from finetuning.errors import FinetuningError
from finetuning.sweep import main
from finetuning.sweeps.arrays import JobArray, as_script, fitting, job_arrays
from finetuning.sweeps.config import SweepConfig
from finetuning.sweeps.plan import Plan, make_plan


def plan(output: Path, **changes: object) -> Plan:
    values = {"models": {"a": "models/a"}, "tasks": ("cola",), "output": str(output), "learning_rates": (5e-5, 2e-5)}
    return make_plan(SweepConfig.model_validate(values | changes))


def runs_of(arrays: list[JobArray]) -> list[list[int]]:
    """The indices of the runs of each array."""
    found = []
    for array in arrays:
        offset = int(array.arguments[array.arguments.index("--array-offset") + 1])
        parts = [part.split("-") for part in array.array.partition("%")[0].split(",")]
        found.append([offset + task for part in parts for task in range(int(part[0]), int(part[-1]) + 1)])
    return found


def test_stages_follow_each_other_and_no_array_is_longer_than_the_cluster_takes(tmp_path: Path) -> None:
    options = {"start_from_mnli": ("rte",), "first_seeds": 2, "keep_settings": 1, "seeds": (1, 2, 3, 4, 5)}
    sweep = plan(tmp_path, tasks=("mnli", "rte"), **options)
    arrays = job_arrays(sweep, Path("p.json"), most=3)
    assert runs_of(arrays) == [[0, 1, 2], [3], [4, 5, 6], [7, 8, 9], [10, 11, 12], [13], [14, 15, 16], [17, 18, 19]]
    assert [array.stage for array in arrays] == [
        *("runs",) * 2,
        *("further-seeds",) * 2,
        *("from-mnli",) * 2,
        *("from-mnli-further-seeds",) * 2,
    ]
    assert [array.after for array in arrays] == [(), *((before,) for before in range(7))]
    assert {array.dependency for array in arrays} == {"afterany"}
    assert all(array.array.endswith("%8") for array in arrays)


@pytest.mark.parametrize("count", [1, 2, 5, 1000, 1001, 1920])
@pytest.mark.parametrize("most", [1, 2, 1000, 1001])
def test_every_run_is_in_one_array_and_task_numbers_stay_below_the_limit(tmp_path: Path, count: int, most: int) -> None:
    sweep = plan(tmp_path, learning_rates=(5e-5,), seeds=tuple(range(count)))
    arrays = job_arrays(sweep, Path("p"), most=most)
    assert sum(runs_of(arrays), []) == list(range(count))  # noqa: RUF017
    numbers = [int(part.split("-")[-1]) for array in arrays for part in array.array.partition("%")[0].split(",")]
    assert max(numbers) < most


def test_only_what_is_missing_is_submitted(tmp_path: Path, write_result: Callable[..., Path]) -> None:
    sweep = plan(tmp_path, learning_rates=(5e-5,), seeds=tuple(range(10)))
    for index in (0, 3, 4, 9):
        write_result(tmp_path / sweep.runs[index].folder)
    (array,) = job_arrays(sweep, Path("p"), most=100)
    assert array.array == "0-1,4-7%8"
    assert runs_of([array]) == [[1, 2, 5, 6, 7, 8]]
    assert runs_of(job_arrays(sweep, Path("p"), most=5)) == [[1, 2, 5], [6, 7, 8]]
    for index in (1, 2, 5, 6, 7, 8):
        write_result(tmp_path / sweep.runs[index].folder)
    assert job_arrays(sweep, Path("p")) == []
    assert "nothing to submit" in as_script([], sweep, Path("p"))


def test_a_name_with_a_line_break_is_no_command(tmp_path: Path) -> None:
    sweep = plan(tmp_path / "runs\ntouch sprung\n#", seeds=(1,))
    file = tmp_path / "plan\ntouch sprung\n.json"
    script = as_script(job_arrays(sweep, file), sweep, file).replace("set -euo pipefail", "PATH=; set +e")
    subprocess.run(["bash", "-c", script.replace("touch", "/usr/bin/touch")], cwd=tmp_path, check=False, timeout=60)
    assert not (tmp_path / "sprung").exists()


def test_settings_that_are_out_are_not_submitted_until_a_first_run_may_still_change_that(
    tmp_path: Path, write_result: Callable[..., Path]
) -> None:
    sweep = plan(tmp_path, seeds=(1, 2), first_seeds=1, keep_settings=1)
    write_result(tmp_path / sweep.runs[0].folder, score=0.5)
    logs = tmp_path / "logs" / sweep.runs[1].folder
    logs.mkdir(parents=True)
    (logs / "failed.json").write_text("{}")
    assert runs_of(job_arrays(sweep, Path("p"))) == [[1], [2, 3]], "the failed one may turn out to be better"
    write_result(tmp_path / sweep.runs[1].folder, score=0.6)
    assert runs_of(job_arrays(sweep, Path("p"))) == [[3]]


def test_no_more_is_submitted_than_the_queue_has_room_for(tmp_path: Path) -> None:
    sweep = plan(tmp_path, learning_rates=(5e-5,), seeds=tuple(range(10)))
    arrays = job_arrays(sweep, Path("p"), most=4)
    assert [array.tasks for array in arrays] == [4, 4, 2]
    assert fitting(arrays, sweep, None) == (arrays, 0)
    assert fitting(arrays, sweep, 10) == (arrays, 0)
    assert fitting(arrays, sweep, 9) == (arrays[:2], 2)
    assert fitting(arrays, sweep, 4) == (arrays[:1], 6)
    assert fitting([], sweep, 0) == ([], 0)
    for room, says in (
        (3, "takes 3 more jobs of yours, the first array has 4 runs.* --array-size 3"),
        (0, "until others are over$"),
    ):
        with pytest.raises(FinetuningError, match=says):
            fitting(arrays, sweep, room)
    assert "6 runs have no room in the queue" in as_script(arrays[:1], sweep, Path("p"), 6)
    assert "no room" not in as_script(arrays, sweep, Path("p"))


@pytest.mark.parametrize("options", [["--jobs", "0"], ["--array-size", "-1"]])
def test_nonsense_is_refused(tmp_path: Path, options: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    common = ["--models", "a=x", "--tasks", "cola", "--output", str(tmp_path / "o")]
    assert main([*common, "--slurm", *options]) == 2
    assert f"{options[0]} {options[1]}: at least one" in capsys.readouterr().err


ODD = "o'd & $(touch pwned) %A"


@pytest.fixture
def submit(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]):
    """submit(*options) → what bash says, its exit code, and the words of each call of a stand-in for sbatch."""
    monkeypatch.chdir(tmp_path)
    calls = tmp_path / "calls"
    calls.mkdir()
    sbatch = tmp_path / "bin" / "sbatch"
    sbatch.parent.mkdir()
    sbatch.write_text(
        f'#!/bin/bash\nn=$(ls {calls} | wc -l)\nprintf "%s\\0" "$@" > {calls}/$n\n'
        '[[ $n -lt ${REFUSED_FROM:-99} ]] || { echo "sbatch: error: too many" >&2; exit 1; }\n'
        f'printf %s "$CODE_FOLDER" > "{tmp_path}/code folder"\necho "$((n + 100));here"\n'
    )
    sbatch.chmod(0o755)
    squeue = sbatch.with_name("squeue")
    squeue.write_text(
        '#!/bin/bash\n[[ -z "${SQUEUE_PARTITION:-}" && "${!#}" == --name=bert-finetune-* ]] || exit 3\n'
        'printf "%s\\n" ${QUEUED:-}\n'
    )
    squeue.chmod(0o755)
    sacctmgr = sbatch.with_name("sacctmgr")
    sacctmgr.write_text('#!/bin/bash\n[[ -n "${MAX_SUBMIT:-}" ]] && echo "$MAX_SUBMIT"\n')
    sacctmgr.chmod(0o755)
    monkeypatch.setenv("PATH", str(sbatch.parent), prepend=os.pathsep)

    def run(*options: str, **variables: str):
        common = ["--models", "a=x", "--tasks", "mnli,rte", "--start-from-mnli", "rte", "--seeds", "1"]
        assert main([*common, "--learning-rates", "2e-5", "--output", ODD, "--slurm", *options]) == 0
        environment = {**os.environ, "PATH": f"{sbatch.parent}:{os.environ['PATH']}", **variables}
        script = capsys.readouterr().out
        ended = subprocess.run(["bash"], input=script, env=environment, capture_output=True, text=True, check=False)
        return ended, [(calls / name).read_text().split("\0")[:-1] for name in sorted(os.listdir(calls))]

    return run


def test_the_script_submits_one_after_the_other_whatever_the_folder_is_called(submit, tmp_path: Path) -> None:
    ended, (first, second) = submit("--jobs", "3", "--sbatch=--partition=gpu --comment='two words'")
    assert ended.returncode == 0, ended.stderr
    assert ended.stdout == "job 100, runs: tasks 0%3\njob 101, from-mnli: tasks 0%3\n"
    (file,) = (tmp_path / ODD / "plans").glob("*.json")
    log = f"--output={ODD.replace('%', '%%')}/logs/slurm/%A_%a.log"
    name = first.pop(2)
    assert second.pop(2) == name
    assert re.fullmatch("--job-name=bert-finetune-[0-9a-f]{8}", name)
    options = ["--parsable", "--array=0%3", log, "--partition=gpu", "--comment=two words"]
    arguments = ["cluster/slurm/finetune.sbatch", "--plan", str(file.relative_to(tmp_path)), "--array-offset"]
    assert first == [*options, *arguments, "0"]
    assert second == [*options, "--dependency=afterany:100", *arguments, "1"]
    assert (tmp_path / ODD / "logs" / "slurm").is_dir(), "Slurm makes no folder for logs"
    (code,) = (tmp_path / ODD / "plans").glob("code-*")
    assert (tmp_path / "code folder").read_text() == str(code), "the code is copied, too"
    assert not (tmp_path / "pwned").exists()


def test_what_sbatch_refuses_ends_the_script_with_a_word_on_what_to_do(submit) -> None:
    ended, calls = submit(REFUSED_FROM="1")
    assert ended.returncode != 0
    assert len(calls) == 2
    assert "sbatch: error: too many" in ended.stderr
    assert "not everything was submitted" in ended.stderr


def test_a_sweep_that_is_in_the_queue_is_not_submitted_again(submit) -> None:
    ended, calls = submit(QUEUED="7 7 12", SQUEUE_PARTITION="another")
    assert (ended.returncode, calls) == (2, [])
    assert ended.stderr.startswith(
        f"{ODD}: this sweep is in the queue already: wait for it, or end it by scancel --name="
    )
    assert ended.stderr.endswith("; job 12 7\n")


def test_what_has_no_room_in_the_queue_waits_for_the_next_call(submit, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("MAX_SUBMIT", "3")
    ended, calls = submit("--seeds", "1,2,3,4")
    assert ended.returncode == 0, ended.stderr
    assert [call[1] for call in calls] == ["--array=0-2%8"]
    assert "5 runs have no room in the queue: when these are over, the same command again" in ended.stdout


def test_without_a_copy_of_the_code_nothing_is_submitted(submit, tmp_path: Path) -> None:
    ended, calls = submit(PYTHONHOME="/none")  # with which no Python starts
    assert ended.returncode != 0
    assert calls == []
    ended, _ = submit(PYTHONHOME="/none", CODE_FOLDER="/copy")
    assert ended.returncode == 0, ended.stderr
    assert (tmp_path / "code folder").read_text() == "/copy"


def test_the_json_says_the_same(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    common = ["--models", "a=x", "--tasks", "mnli,rte", "--start-from-mnli", "rte", "--output", str(tmp_path)]
    assert main([*common, "--grid", "paper", "--slurm-json", "--array-size", "15"]) == 0
    arrays = json.loads(capsys.readouterr().out)
    assert [(entry["stage"], entry["array"], entry["after"]) for entry in arrays] == [
        ("runs", "0-14%8", []),
        ("runs", "0-4%8", [0]),
        ("from-mnli", "0-14%8", [1]),
        ("from-mnli", "0-4%8", [2]),
    ]
    assert arrays[3] | {"options": None} == {
        "stage": "from-mnli",
        "array": "0-4%8",
        "after": [2],
        "dependency": "afterany",
        "options": None,
        "script": "cluster/slurm/finetune.sbatch",
        "arguments": ["--plan", str(next((tmp_path / "plans").glob("*.json"))), "--array-offset", "35"],
    }
    assert arrays[3]["options"] == [f"--output={tmp_path}/logs/slurm/%A_%a.log"]
