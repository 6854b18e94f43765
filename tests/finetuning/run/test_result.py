"""What a finished run leaves: read again as written, by earlier versions too, and what it says of itself."""

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from finetuning.errors import FinetuningError
from finetuning.run.result import BAG_OF_WORDS, Result

Write = Callable[..., Path]


@pytest.fixture
def made(tmp_path: Path, write_result: Write) -> Callable[..., Result]:
    """made(**fields) → a result, written and read again."""
    return lambda **fields: Result.read(write_result(tmp_path / "run", **fields))


@pytest.fixture
def edited(tmp_path: Path, write_result: Write) -> Callable[..., Result]:
    """edited(without, **keys) → the result of a file that lacks some keys and has others."""

    def edit(*without: str, fields: dict[str, Any] | None = None, **keys: Any) -> Result:
        path = write_result(tmp_path / "run", **(fields or {})) / "result.json"
        content = {key: value for key, value in json.loads(path.read_text()).items() if key not in without}
        path.write_text(json.dumps(content | keys))
        return Result.read(path.parent)

    return edit


def test_what_is_left_out_is_unknown_or_did_not_happen(edited: Callable[..., Result]) -> None:
    later = {
        **{"constant_score": None, "failure": None, "above_constant": None, "diverged": False, "stopped_early": False},
        **{"epoch_scores": (), "truncation": {}, "notes": (), "precision": "fp32", "baseline": None, "inputs": None},
    }
    result = edited(*later)
    assert {key: getattr(result, key) for key in later} == later
    with pytest.raises(
        FinetuningError, match=r"result\.json: score: Field required; the file is damaged or of another"
    ):
        edited("score")


def test_a_result_is_read_as_it_was_written(tmp_path: Path, made: Callable[..., Result]) -> None:
    result = made(score=0.75, above_constant=(0.1, 0.2), notes=("a", "b"), epoch_scores=(0.5, 0.75))
    assert result.write(tmp_path / "other") == tmp_path / "other" / "result.json"
    assert Result.read(tmp_path / "other") == result
    assert json.loads((tmp_path / "other" / "result.json").read_text()) == result.model_dump(mode="json")
    assert [path.name for path in (tmp_path / "other").iterdir()] == ["result.json"]
    with pytest.raises(ValidationError, match="frozen"):
        result.score = 1.0  # type: ignore[misc]


def test_a_result_that_is_written_anew_is_read_anew(tmp_path: Path, write_result: Write) -> None:
    for score in (0.5, 0.75, 0.25):
        assert Result.read(write_result(tmp_path / "run", score=score)).score == score
    assert Result.read(tmp_path / "run") is Result.read(tmp_path / "run")


@pytest.mark.parametrize("other", ["size", "time", "file"])
def test_a_file_is_another_by_its_size_time_or_place(tmp_path: Path, write_result: Write, other: str) -> None:
    """Each alone, though a file system may count time coarsely or take a place again."""
    path = write_result(tmp_path / "run", score=0.5) / "result.json"
    stat, text = path.stat(), path.read_text()
    assert Result.read(path.parent).score == 0.5
    if other == "file":
        (tmp_path / "new.json").write_text(text.replace("0.5", "0.6"))
        (tmp_path / "new.json").replace(path)
    else:
        path.write_text(text.replace("0.5", "0.6" if other == "time" else "0.75"))
    moved = 10**9 if other == "time" else 0
    os.utime(path, ns=(stat.st_atime_ns, stat.st_mtime_ns + moved))
    assert Result.read(path.parent).score == (0.75 if other == "size" else 0.6)


def test_a_baseline_is_called_so(made: Callable[..., Result]) -> None:
    assert made(baseline=BAG_OF_WORDS).baseline == BAG_OF_WORDS == "bag of words"


@pytest.mark.parametrize(
    ("asked", "computed"), [("auto", "fp32"), ("fp32", "fp32"), ("bf16", "bf16"), ("tf32", "fp32")]
)
def test_earlier_versions_knew_two_precisions(edited: Callable[..., Result], asked: str, computed: str) -> None:
    """As a file says it, and as a `RunSpec`."""
    result = edited("precision", fields={"spec": {"precision": asked}})
    assert result.precision == computed
    values = {key: getattr(result, key) for key in Result.model_fields if key != "precision"}
    assert Result(**values).precision == computed
    assert Result(**values, precision="tf32").precision == "tf32"


@pytest.mark.parametrize(
    ("keys", "failure"),
    [
        ({"failed_run": True, "diverged": True}, "diverged"),
        ({"failed_run": True, "diverged": False}, "not above the best constant"),
        ({"failed_run": False, "diverged": False}, None),
        ({"failed_run": True, "diverged": True, "failure": "constant"}, "constant"),
        ({"failed_run": True, "failure": None}, None),
    ],
)
def test_earlier_versions_had_two_reasons_of_a_failure(
    edited: Callable[..., Result], keys: dict[str, Any], failure: str | None
) -> None:
    assert edited("failure", **keys).failure == failure
    assert edited("failure", "diverged", failed_run=True).failure == "not above the best constant"


@pytest.mark.parametrize("content", [b"[]", b"3", b"{", b"", b"\xff", b'{"spec": 3}'])
def test_what_is_no_result_is_one_sentence(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "result.json").write_bytes(content)
    with pytest.raises(FinetuningError, match=r"result\.json: .*; the file is damaged or of another version") as raised:
        Result.read(tmp_path)
    assert "\n" not in str(raised.value)


def test_where_a_result_is_wrong_is_said(edited: Callable[..., Result], tmp_path: Path) -> None:
    with pytest.raises(FinetuningError, match=r"result\.json: metrics\.f1: Input should be a valid number"):
        edited(metrics={"f1": "high"})
    with pytest.raises(FinetuningError, match=r"result\.json: new: Extra inputs are not permitted"):
        edited(new=1)
    (tmp_path / "run" / "result.json").write_text("[]")
    with pytest.raises(FinetuningError, match=r"result\.json: the file: Input should be"):
        Result.read(tmp_path / "run")
    with pytest.raises(FinetuningError, match=r"gone/result\.json: no such file; the run is not finished"):
        Result.read(tmp_path / "gone")


def test_a_finished_run_is_there_and_is_not_overwritten(tmp_path: Path, write_result: Write) -> None:
    (tmp_path / "folder" / "result.json").mkdir(parents=True)
    for name, expected in (("gone", False), ("folder", False), ("run", True)):
        if expected:
            write_result(tmp_path / name)
        assert Result.exists(tmp_path / name) == expected
    Result.refuse_finished(tmp_path / "gone")
    with pytest.raises(FinetuningError, match="run: holds a finished run; choose another --output or delete it"):
        Result.refuse_finished(tmp_path / "run")


@pytest.mark.parametrize(
    ("fields", "to_beat", "near", "words"),
    [
        ({"score": 0.5}, 0.4, False, "best constant answer 0.4000"),
        ({"score": 0.5, "constant_score": 0.0}, 0.0, False, "best constant answer 0.0000"),
        ({"score": 0.5, "above_constant": (0.01, 0.2)}, 0.4, False, "best constant answer 0.4000"),
        *(
            (
                {"score": 0.5, "constant_score": 0.45, "above_constant": (low, 0.2)},
                *(0.45, True, "best constant answer 0.4500, from which these rows do not tell it"),
            )
            for low in (0.0, -0.1)
        ),
        (
            {"score": 0.3, "failure": "constant", "above_constant": (-0.1, 0.2)},
            *(0.4, False, "best constant answer 0.4000; failed: constant"),
        ),
    ],
)
def test_what_a_run_was_to_beat(
    made: Callable[..., Result], fields: dict[str, Any], to_beat: float, near: bool, words: str
) -> None:
    result = made(**fields)
    assert (result.to_beat, result.is_near_constant, result.beside_constant) == (to_beat, near, words)
