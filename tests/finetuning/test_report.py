"""The command: its three files, and what it refuses."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from finetuning.report import main
from tests.finetuning.reporting.finished_runs import answered, polite_sweep


@pytest.fixture
def sweep(tmp_path: Path, write_result: Callable[..., Path]) -> Path:
    return polite_sweep(tmp_path, write_result)


def test_the_three_files_say_the_same(sweep: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main([str(sweep)]) == 0
    out, err = capsys.readouterr()
    assert out.splitlines() == [str(sweep / name) for name in ("report.json", "report.md", "report.html")]
    assert err == "1 runs of the sweep have no result yet; the report lists them\n"
    page, text = (sweep / "report.html").read_text(), (sweep / "report.md").read_text()
    report = json.loads((sweep / "report.json").read_text())
    mean = report["tasks"][0]["models"][1]["settings"][0]["summary"]["mean"]
    for content in (page, text):
        assert f"{100 * mean:.1f} ±" in content
        assert "lr5e-05-batch32-epochs3-seed3" in content


def test_what_is_asked_for_is_done(sweep: Path, tmp_path: Path) -> None:
    words = ["--output", str(tmp_path / "out"), "--baseline", "old", "--interval", "bootstrap"]
    assert main([str(sweep), *words]) == 0
    report = json.loads((tmp_path / "out" / "report.json").read_text())
    assert report["interval"]["method"] == "bootstrap"
    assert [row["baseline"] for row in report["comparisons"]] == ["old"]
    assert not (sweep / "report.json").exists()


def test_of_single_runs_none_is_missing(
    tmp_path: Path, write_result: Callable[..., Path], capsys: pytest.CaptureFixture[str]
) -> None:
    runs = [str(answered(write_result(tmp_path / str(seed), seed=seed))) for seed in range(2)]
    assert main(runs) == 0
    out, err = capsys.readouterr()
    assert (out.splitlines()[0], err) == (str(tmp_path / "0" / "report.json"), "")
    assert json.loads((tmp_path / "0" / "report.json").read_text())["folders"] == runs


@pytest.mark.parametrize(
    "break_it",
    ["no folder", "nothing in it", "damaged", "no predictions", "unknown baseline", "a run twice", "damaged table"],
)
def test_what_is_wrong_is_one_sentence(
    sweep: Path, tmp_path: Path, write_result: Callable[..., Path], capsys: pytest.CaptureFixture[str], break_it: str
) -> None:
    arguments = [str(sweep)]
    if break_it == "no folder":
        arguments = [str(tmp_path / "nowhere")]
    elif break_it == "nothing in it":
        arguments = [str(tmp_path / "task")]
    elif break_it == "damaged":
        next(sweep.rglob("result.json")).write_text("{}")
    elif break_it == "no predictions":
        for path in sweep.rglob("predictions-dev.jsonl"):
            path.unlink()
    elif break_it == "a run twice":
        for name in ("one", "two"):
            answered(write_result(sweep / "twice" / name, seed=7))
    elif break_it == "damaged table":
        (sweep / "sweep.json").write_text("[]")
    else:
        arguments += ["--baseline", "nobody"]
    assert main(arguments) == 2
    assert len(capsys.readouterr().err.splitlines()) == 1
    assert not (sweep / "report.html").exists()


def test_a_report_that_cannot_be_written_is_one_sentence(
    sweep: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("finetuning.reporting.page.write_report", full)
    assert main([str(sweep)]) == 75
    (line,) = capsys.readouterr().err.splitlines()
    assert "No space left on device" in line
