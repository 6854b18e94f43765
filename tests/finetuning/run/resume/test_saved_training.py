"""A run that is interrupted, wherever that is, and goes on to the result of one that was left in peace."""

import json
import os
import shutil
import signal
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from finetuning.run import finetune, loop
from finetuning.run.finetune import run
from finetuning.run.resume.interruption import Interruption
from finetuning.run.resume.training_file import TRAINING_FILE, saved_step
from finetuning.run.specification import RunSpec

TIMES = {"seconds", "seconds_per_epoch", "spec"}


@pytest.fixture
def spec(tmp_path: Path, model_folder: Path, benchmark_data: Path) -> Callable[..., RunSpec]:
    def make(name: str, **changes: Any) -> RunSpec:
        values = {"data": benchmark_data, "epochs": 2.5, "batch_size": 4, "sequence_length": 32, "seed": 3}
        values |= {"task": "cola", "model": str(model_folder), "evaluate_every_epoch": True, "dropout": 0.1}
        return RunSpec(**{**values, "output": tmp_path / name, **changes})

    return make


@pytest.fixture
def interrupt(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """interrupt(function, call, of=module): the signal comes in that call of the function, counted from 1."""
    handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGUSR1)}

    def at(name: str, call: int, of: Any = loop, number: int = signal.SIGTERM) -> None:
        listening = Interruption()
        listening.listen()
        monkeypatch.setattr(loop, "interruption", listening)
        original, calls = getattr(of, name), 0

        def hurt(*arguments: Any, **options: Any) -> Any:
            nonlocal calls
            calls += 1
            if calls == call:
                os.kill(os.getpid(), number)
            return original(*arguments, **options)

        monkeypatch.setattr(of, name, hurt)

    yield at
    for number, handler in handlers.items():
        signal.signal(number, handler)


@pytest.fixture
def cut_short(interrupt: Callable[..., None], monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """cut_short(spec, at=4): the run is interrupted after so many steps; the next one is left in peace."""

    def cut(spec: RunSpec, at: int = 4) -> None:
        interrupt("_step", at)
        with pytest.raises(KeyboardInterrupt):
            run(spec)
        left_in_peace(monkeypatch)

    return cut


def left_in_peace(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    monkeypatch.setattr(loop, "interruption", Interruption())


# Twelve rows in batches of four, two and a half epochs: eight steps. The dev split is scored three times and once more.
@pytest.mark.parametrize(
    ("name", "call", "of", "step"),
    [
        ("_step", 1, loop, 1),
        ("_step", 2, loop, 2),
        ("_step", 3, loop, 3),  # the epoch's last
        ("_step", 7, loop, 7),
        ("_step", 8, loop, 8),  # the run's last
        ("predict", 1, finetune, 3),  # between two epochs
        ("predict", 3, finetune, 8),
        ("score_splits", 1, finetune, 8),
    ],
)
def test_an_interrupted_run_ends_like_one_that_was_not(
    spec: Callable[..., RunSpec],
    interrupt: Callable[..., None],
    monkeypatch: pytest.MonkeyPatch,
    name: str,
    call: int,
    of: Any,
    step: int,
) -> None:
    expected = run(spec("undisturbed"))
    hurt = spec("hurt")
    interrupt(name, call, of)
    with pytest.raises(KeyboardInterrupt):
        run(hurt)
    assert saved_step(hurt.output) == step
    left_in_peace(monkeypatch)
    found = run(hurt)
    assert found.model_dump(exclude=TIMES) == expected.model_dump(exclude=TIMES)
    answers = [(folder / "predictions-dev.jsonl").read_bytes() for folder in (hurt.output, spec("undisturbed").output)]
    assert answers[0] == answers[1]
    assert not (hurt.output / TRAINING_FILE).exists()


def test_interrupted_again_and_again(spec: Callable[..., RunSpec], cut_short: Callable[..., None]) -> None:
    expected = run(spec("undisturbed"))
    for step in range(1, 9):
        cut_short(spec("hurt"), at=1)
        assert saved_step(spec("hurt").output) == step
    assert run(spec("hurt")).model_dump(exclude=TIMES) == expected.model_dump(exclude=TIMES)


@pytest.mark.parametrize("change", [{"learning_rate": 1e-4}, {"limit_train": 8}, {"seed": 4}])
def test_what_another_run_saved_is_passed_over(
    spec: Callable[..., RunSpec],
    cut_short: Callable[..., None],
    caplog: pytest.LogCaptureFixture,
    change: dict[str, Any],
) -> None:
    expected = run(spec("undisturbed", **change))
    cut_short(spec("hurt"))
    found = run(spec("hurt", **change))
    assert "is of other options, weights or data: training starts anew" in caplog.text
    assert found.model_dump(exclude=TIMES) == expected.model_dump(exclude=TIMES)


def test_what_a_model_of_other_dropout_saved_is_passed_over(
    spec: Callable[..., RunSpec],
    cut_short: Callable[..., None],
    caplog: pytest.LogCaptureFixture,
    model_folder: Path,
    tmp_path: Path,
) -> None:
    """Its weights are the same, and `config.json` alone says it."""
    model = Path(shutil.copytree(model_folder, tmp_path / "model"))
    hurt = spec("hurt", model=str(model), dropout=None)
    cut_short(hurt)
    config = json.loads((model / "config.json").read_text())
    (model / "config.json").write_text(json.dumps(config | {"hidden_dropout_prob": 0.0}))
    found = run(hurt)
    assert "is of other options, weights or data: training starts anew" in caplog.text
    expected = run(spec("undisturbed", model=str(model), dropout=None))
    assert found.model_dump(exclude=TIMES) == expected.model_dump(exclude=TIMES)


def test_options_without_effect_and_a_moved_model_leave_it_standing(
    spec: Callable[..., RunSpec],
    cut_short: Callable[..., None],
    caplog: pytest.LogCaptureFixture,
    tmp_path: Path,
) -> None:
    caplog.set_level("INFO")
    cut_short(spec("hurt"))
    moved = shutil.copytree(spec("hurt").model, tmp_path / "moved")
    run(spec("hurt", model=str(moved), save_model=True, predict_test=False, micro_batch_pieces=1000, device="cpu"))
    assert "goes on after step 4" in caplog.text


def test_a_damaged_file_is_passed_over(
    spec: Callable[..., RunSpec],
    cut_short: Callable[..., None],
    caplog: pytest.LogCaptureFixture,
) -> None:
    expected = run(spec("undisturbed"))
    cut_short(spec("hurt"))
    file = spec("hurt").output / TRAINING_FILE
    file.write_bytes(file.read_bytes()[:-100])
    assert run(spec("hurt")).model_dump(exclude=TIMES) == expected.model_dump(exclude=TIMES)
    assert "training.safetensors is damaged" in caplog.text


@pytest.mark.parametrize("content", [b"", b"\x02\0\0\0\0\0\0\0{}", b"\xff" * 20])
def test_how_far_a_run_is_is_nothing_where_it_cannot_be_read(tmp_path: Path, content: bytes) -> None:
    assert saved_step(tmp_path) == 0
    (tmp_path / TRAINING_FILE).write_bytes(content)
    assert saved_step(tmp_path) == 0


def test_one_rank_of_several_takes_no_signal(monkeypatch: pytest.MonkeyPatch) -> None:
    before = signal.getsignal(signal.SIGUSR1)
    monkeypatch.setenv("WORLD_SIZE", "2")
    Interruption().listen()
    assert signal.getsignal(signal.SIGUSR1) is before
