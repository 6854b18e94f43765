"""The command as people call it: mistakes, signals, Slurm's variables."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from benchmarks.synthetic_shards import TINY_MODEL, write_shards
from pretraining.main import main
from pretraining.run.metrics import read_metrics

ROOT = Path(__file__).parents[2]
RECIPE = f"""{TINY_MODEL}
[training]
steps = 8
batch_size = 16
micro_batch_size = 8
precision = "fp32"
[evaluation]
examples = 20
[output]
log_every = 1
peak_tflops = 1.0
"""


@pytest.fixture(scope="module")
def shards(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_shards(tmp_path_factory.mktemp("main") / "shards")


@pytest.fixture
def recipe(tmp_path: Path) -> Path:
    path = tmp_path / "recipe.toml"
    path.write_text(RECIPE)
    return path


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--training.batchsize", "8"], "did you mean --training.batch-size?"),
        (["--deepspeed.train_batch_size=8"], "train_batch_size belongs to the trainer: set training.batch_size"),
        (["--deepspeed.zero_optimisation.stage=2"], "'zero_optimization'"),
        (["--data.sequence_length=64"], "longer than the model's 32 positions"),
        (["--data.sequence_length=16"], "no examples of length 16, only of 32"),
        (["--model.vocab_size=50"], "vocabulary of 65 tokens and the model has 50"),
        (["--training.batch_size=9"], "training.micro_batch_size"),
        (["--training.precision=fp16"], "needs a GPU"),
        (["--schedule.warmup_steps=20"], "schedule.warmup_steps is 20 and training.steps 8"),
        (["--init.from=nowhere"], "neither a finished run"),
        (["--model.compile=perhaps"], "auto"),
    ],
)
def test_mistakes_end_with_one_sentence(
    recipe: Path,
    shards: Path,
    arguments: list[str],
    message: str,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    for name in ("RANK", "WORLD_SIZE", "SLURM_PROCID"):
        monkeypatch.delenv(name, raising=False)
    handlers = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGUSR1, signal.SIGINT)}
    try:
        code = main(["--config", str(recipe), f"--data.shards={shards}", *arguments])
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)
    assert code == 2
    error = capsys.readouterr().err.strip()
    assert message in error
    assert len(error.splitlines()) == 1


def test_world_size_that_does_not_divide(recipe: Path, shards: Path) -> None:
    """Every rank leaves before it joins the others; rank 0 says why."""
    environment = {**os.environ, "RANK": "0", "WORLD_SIZE": "3"}
    done = subprocess.run(
        [sys.executable, "pretraining/main.py", "--config", str(recipe), f"--data.shards={shards}"],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 2
    assert "training.batch_size 16 does not divide among 3 ranks; use 15 or 18" in done.stderr


def test_imports_nothing_heavy_before_the_signal_handlers() -> None:
    """The modules that main imports at its top load neither torch nor numpy."""
    code = (
        "import sys; sys.path[0:0] = ['.']; import pretraining.run.health.stop, pretraining.run.ranks;"
        "print(sorted({'torch', 'numpy', 'pydantic'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert done.stdout.strip() == "[]"


@pytest.mark.slow
def test_a_signal_saves_and_the_same_command_finishes(recipe: Path, shards: Path, tmp_path: Path) -> None:
    """As Slurm starts it: one task per rank, no torch-style variables; USR1 reaches every rank."""
    run = tmp_path / "run"
    others = {name: value for name, value in os.environ.items() if not name.startswith(("MASTER_", "RANK", "WORLD_"))}
    command = [sys.executable, "pretraining/main.py", "--config", str(recipe), f"--data.shards={shards}"]
    command += [f"--output.folder={run}", "--training.steps=100000"]
    slurm = {
        "SLURM_NTASKS": "2",
        "SLURM_JOB_ID": str(os.getpid()),
        "SLURM_STEP_NODELIST": "localhost",
        "SLURM_STEP_TASKS_PER_NODE": "2",
    }

    def start(*arguments: str) -> list[subprocess.Popen[bytes]]:
        processes = []
        for rank in range(2):
            with (tmp_path / f"rank{rank}.log").open("w") as log:
                environment = {**others, **slurm, "SLURM_PROCID": str(rank), "SLURM_LOCALID": str(rank)}
                processes.append(
                    subprocess.Popen([*command, *arguments], cwd=ROOT, env=environment, stdout=log, stderr=log)
                )
        return processes

    def output() -> str:
        return "".join((tmp_path / f"rank{rank}.log").read_text()[-3000:] for rank in range(2))

    processes = start()
    try:
        deadline = time.monotonic() + 200
        while not [line for line in read_metrics(run / "metrics.jsonl") if "event" not in line]:
            assert time.monotonic() < deadline, output()
            assert processes[0].poll() is None, output()
            time.sleep(0.1)
        for process in processes:
            process.send_signal(signal.SIGUSR1)
        assert [process.wait(timeout=100) for process in processes] == [75, 75], output()
        state = json.loads((run / "state.json").read_text())
        assert state["status"] == "interrupted"
        assert state["signal"] == "SIGUSR1"
        step = state["step"]
        assert (run / "checkpoints" / f"step{step}" / "manifest.json").is_file()
        processes = start(f"--training.steps={step + 2}", "--checkpoint.allow=training.steps")
        assert [process.wait(timeout=200) for process in processes] == [0, 0], output()
    finally:
        for process in processes:
            process.kill()
    steps = [line["step"] for line in read_metrics(run / "metrics.jsonl") if "event" not in line]
    assert steps == list(range(1, step + 3))
    assert json.loads((run / "state.json").read_text())["status"] == "finished"
    assert list((run / "tensorboard").iterdir())


@pytest.mark.slow
def test_a_compiler_that_does_not_work_ends_a_run_that_wants_it_before_its_first_step(
    recipe: Path, shards: Path, tmp_path: Path
) -> None:
    run = tmp_path / "run"
    arguments = [f"--data.shards={shards}", f"--output.folder={run}", "--model.compile=true"]
    ended = subprocess.run(
        [sys.executable, "pretraining/main.py", "--config", str(recipe), *arguments],
        cwd=ROOT,
        env={**os.environ, "CXX": "/bin/false", "TORCHINDUCTOR_CACHE_DIR": str(tmp_path / "cache")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert ended.returncode == 2
    assert "error: model.compile is true and torch.compile does not work on rank 0 (" in ended.stderr
    assert "Traceback" not in ended.stderr
    assert not [line for line in read_metrics(run / "metrics.jsonl") if "event" not in line]
