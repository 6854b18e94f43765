"""How far a stage is, by its files; files that are half written or nonsense say nothing."""

from datetime import datetime
from pathlib import Path

import pytest

from cluster.chain.progress import Progress, progress_of_build, progress_of_run

NOW = datetime(2026, 3, 4, 12, 0)


@pytest.mark.parametrize(
    ("progress", "running", "end"),
    [
        (Progress("", None), 1, None),
        (Progress("", 600.0), 1, (12, 10)),
        (Progress("", 600.0), 5, (12, 10)),
        (Progress("", 600.0, is_of_one=True), 5, (12, 2)),
        (Progress("", 600.0, is_of_one=True), 0, (12, 10)),
        (Progress("", 600.0, NOW.timestamp() - 300), 1, (12, 5)),
        (Progress("", 600.0, NOW.timestamp() - 3000), 1, (12, 0)),
        (Progress("", 600.0, NOW.timestamp() + 3000), 1, (12, 10)),
        (Progress("", 1e300), 1, None),
        (Progress("", float("nan")), 1, None),
    ],
)
def test_the_expected_end(progress: Progress, running: int, end: tuple[int, int] | None) -> None:
    found = progress.end(NOW, running)
    assert (None if found is None else (found.hour, found.minute)) == end


@pytest.mark.parametrize("state", ["", "{", "[]", '{"steps": null}', '{"steps": "x", "step": 1}', "\0"])
def test_a_broken_state_says_nothing(tmp_path: Path, state: str) -> None:
    (tmp_path / "state.json").write_text(state)
    assert progress_of_run(tmp_path) is None


@pytest.mark.parametrize(
    "metrics", ["", "{", "[1]\n", '{"step": 3}\n', '{"seconds_per_step": null, "step": 3}\n', "\xff"]
)
def test_without_a_logged_step_the_state_counts(tmp_path: Path, metrics: str) -> None:
    (tmp_path / "state.json").write_text('{"steps": 2000, "step": 3}')
    (tmp_path / "metrics.jsonl").write_text(metrics, encoding="latin-1")
    found = progress_of_run(tmp_path)
    assert found is not None
    assert (found.text, found.seconds_left) == ("step 3 of 2,000", None)


def test_of_long_metrics_only_the_end_is_read(tmp_path: Path) -> None:
    (tmp_path / "state.json").write_text('{"steps": 9999999, "step": 0}')
    lines = [f'{{"step": {step}, "seconds_per_step": 2.0, "loss": 1.5}}\n' for step in range(10_000)]
    (tmp_path / "metrics.jsonl").write_text("".join(lines))
    found = progress_of_run(tmp_path)
    assert found is not None
    assert (found.text, found.seconds_left) == ("step 9,999 of 9,999,999, loss 1.500", 2.0 * (9999999 - 9999))


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        '{"phase": "x"}',
        '{"phase": "x", "done": "a", "total": 1, "unit": "u", "seconds_left": 1, "updated": 1}',
        '{"phase": "x", "done": 1, "total": 1, "unit": "u", "seconds_left": 1, "updated": null}',
        '{"phase": "x", "done": 1, "total": 1, "unit": "u", "seconds_left": "x", "updated": 1}',
    ],
)
def test_a_broken_progress_says_nothing(tmp_path: Path, text: str) -> None:
    (tmp_path / "progress.json").write_text(text)
    assert progress_of_build(tmp_path) is None
