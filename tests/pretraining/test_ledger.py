"""The command that says whether runs saw what they should have; on real runs in tests/end_to_end/faults/."""

import json
from pathlib import Path

import pytest

from pretraining import ledger


def write(folder: Path, digests: dict[int, str]) -> Path:
    folder.mkdir()
    lines = [{"step": step, "ledger": digest} for step, digest in digests.items()]
    (folder / "metrics.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    return folder


@pytest.mark.parametrize(
    ("other", "code", "said"),
    [
        ({1: "a", 2: "b", 3: "c"}, 0, "the same examples in the same order up to step 3, c"),
        ({3: "c", 6: "e"}, 0, "up to step 3, c"),
        ({1: "a", 3: "x"}, 1, "the same examples up to step 1, others between it and step 3"),
        ({2: "x", 3: "y"}, 1, "the same examples up to step 0, others between it and step 2"),
        ({4: "d"}, 2, "logged no step in common; train with the same output.log_every"),
        ({}, 2, "has no ledger yet"),
    ],
)
def test_two_runs(
    tmp_path: Path, other: dict[int, str], code: int, said: str, capsys: pytest.CaptureFixture[str]
) -> None:
    runs = [write(tmp_path / "one", {1: "a", 2: "b", 3: "c"}), write(tmp_path / "other", other)]
    assert ledger.main([str(run) for run in runs]) == code
    captured = capsys.readouterr()
    assert said in captured.out + captured.err


def test_what_is_no_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert ledger.main([str(tmp_path)]) == 2
    assert "is no folder of a run" in capsys.readouterr().err
    assert ledger.main(["a", "b", "c"]) == 2
    assert "give one run or two, not 3" in capsys.readouterr().err
