"""How a run stands, for scripts."""

from pathlib import Path

from pretraining.run.state_file import StateFile, read_state


def test_written_and_read(tmp_path: Path) -> None:
    assert read_state(tmp_path) == {}
    status = StateFile(tmp_path, 9, "4711.0")
    status.step, status.saved_step = 4, 3
    status.write("interrupted", "SIGTERM", "SIGTERM")
    assert read_state(tmp_path) == {
        "status": "interrupted",
        "step": 4,
        "steps": 9,
        "saved_step": 3,
        "reason": "SIGTERM",
        "signal": "SIGTERM",
        "start": "4711.0",
    }


def test_what_cannot_be_read_says_nothing(tmp_path: Path) -> None:
    (tmp_path / "state.json").write_text("[1, 2")
    assert read_state(tmp_path) == {}
