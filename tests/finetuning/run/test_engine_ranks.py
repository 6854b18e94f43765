"""Two ranks under DeepSpeed train the same model as one process, with dropout and all other defaults of a run."""

import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from finetuning.run.finetune import run
from finetuning.run.result import Result
from finetuning.run.specification import RunSpec


def free_port() -> int:
    with socket.socket() as server:
        server.bind(("127.0.0.1", 0))
        return int(server.getsockname()[1])


@pytest.mark.slow
@pytest.mark.parametrize(("task", "stage"), [("mnli", 0), ("conll2003", 2)])
def test_two_ranks_equal_one(
    task: str, stage: int, model_folder: Path, benchmark_data: Path, tmp_path: Path, repository: Path
) -> None:
    # A batch of 5 does not divide by 2, and the small passes leave one rank without items in some of them.
    options = {"batch_size": 5, "sequence_length": 96, "micro_batch_pieces": 60, "save_model": True}
    alone = run(RunSpec(task=task, model=str(model_folder), data=benchmark_data, output=tmp_path / "one", **options))
    command = [sys.executable, "finetuning/main.py", "--task", task, "--model", str(model_folder), "--data"]
    command += [str(benchmark_data), "--output", str(tmp_path / "two"), "--zero-stage", str(stage), "--threads", "1"]
    for name, value in options.items():
        command += ["--save-model"] if name == "save_model" else [f"--{name.replace('_', '-')}", str(value)]
    places = {"WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(free_port()), "OMP_NUM_THREADS": "1"}
    ranks = [
        subprocess.Popen(
            [*command, f"--local_rank={rank}"],
            cwd=repository,
            env={**os.environ, **places, "RANK": str(rank), "LOCAL_RANK": str(rank)},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        for rank in range(2)
    ]
    try:
        outputs = [process.communicate(timeout=400)[0] for process in ranks]
    finally:
        for process in ranks:
            process.kill()
    assert [process.returncode for process in ranks] == [0, 0], outputs
    both = Result.read(tmp_path / "two")
    assert both.train_loss == pytest.approx(alone.train_loss, abs=1e-5)
    assert both.metrics == pytest.approx(alone.metrics, abs=1e-5)
    weights = [load_file(tmp_path / name / "model" / "model.safetensors") for name in ("one", "two")]
    assert weights[0].keys() == weights[1].keys()
    for name, tensor in weights[0].items():
        # Training moves most of them by more than 1e-4. Measured: 1e-8.
        torch.testing.assert_close(weights[1][name], tensor, atol=1e-6, rtol=1e-5, msg=name)
    split = "dev_matched" if task == "mnli" else "dev"
    lines = [(tmp_path / name / f"predictions-{split}.jsonl").read_text().count("\n") for name in ("one", "two")]
    assert lines[0] == lines[1] == alone.dev_rows


@pytest.mark.slow
@pytest.mark.parametrize(
    ("different", "code", "sentence"),
    [
        ({"WORLD_SIZE": "3"}, 75, "rank 2 of 3 did not come"),
        ({"SEED": "2"}, 2, "seed is 2 for rank 1, and 1 for rank 0"),
    ],
    ids=["a rank that never comes", "another seed on one machine"],
)
def test_ranks_that_do_not_meet_end_in_time(
    different: dict[str, str], code: int, sentence: str, model_folder: Path, benchmark_data: Path, tmp_path: Path
) -> None:
    places = {"WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(free_port()), **different}
    command = [sys.executable, "finetuning/main.py", "--task", "mnli", "--model", str(model_folder), "--data"]
    command += [str(benchmark_data), "--output", str(tmp_path / "run"), "--threads", "1", "--join-seconds", "20"]
    ranks = [
        subprocess.Popen(
            [*command, "--seed", different.get("SEED", "1") if rank else "1"],
            cwd=Path(__file__).parents[3],
            env={**os.environ, **places, "RANK": str(rank), "LOCAL_RANK": str(rank), "CUDA_VISIBLE_DEVICES": ""},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        for rank in range(2)
    ]
    try:
        outputs = [process.communicate(timeout=200)[0] for process in ranks]
    finally:
        for process in ranks:
            process.kill()
    assert [process.returncode for process in ranks] == [code, code], outputs
    assert all(sentence in output and "Traceback" not in output for output in outputs)
