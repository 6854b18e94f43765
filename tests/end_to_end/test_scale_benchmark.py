"""`python -m benchmarks.scale` on little: its parts run, and what they find has its units."""

from pathlib import Path

import pytest

from benchmarks import scale


@pytest.fixture
def little(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scale, "SIZES", {"opening": (8,), "joining": (2,), "loading": (512,), "memory": (4, 12)})
    monkeypatch.setattr(scale, "MODELS", ("tiny", "mini"))


@pytest.mark.slow
def test_opening_joining_and_memory(little: None, tmp_path: Path) -> None:
    opened = scale.opening(tmp_path)
    assert 0 < opened["cpu_seconds_by_shards"][8] < opened["import_cpu_seconds"]
    assert scale.joining(tmp_path)["cpu_seconds_by_ranks"][2] > 0
    held = scale.memory(tmp_path)
    assert held["own_bytes_by_shards"][4] > 10**7
    assert 2 < held["file_bytes_a_token"] < 4  # 2 bytes an id, masks beside


@pytest.mark.slow
def test_loading(little: None, tmp_path: Path) -> None:
    loaded = scale.loading(tmp_path)
    assert set(loaded["cpu_ms_of_parts"]) == {"drawing", "measuring", "cutting"}
    assert all(taken > 0 for taken in (*loaded["cpu_ms_of_parts"].values(), *loaded["cpu_ms_by_ranks"].values()))
    assert 65_536 * 64 < loaded["tokens"] <= 65_536 * 128


def test_a_part_that_is_not_there(capsys: pytest.CaptureFixture[str]) -> None:
    assert scale.main(["--only", "loading,lifting"]) == 2
    assert "there is no such part; known: opening, joining" in capsys.readouterr().err
