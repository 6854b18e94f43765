"""The contamination report as a command: on stdout by one process, into a folder as a Beam job."""

import json
from pathlib import Path

import pytest

from preprocessing import contamination
from tests.recorded_progress import recorded

LEAK = "The quick brown fox, it is said, jumps over the lazy dog near the river bank every single morning."
CLEAN = "A wholly different sentence about foxes and dogs and rivers and mornings that nobody has tested on before."


@pytest.fixture
def arguments(tmp_path: Path) -> list[str]:
    """60 documents in two files, every fourth contaminated."""
    (tmp_path / "dev.tsv").write_text(f"0\t{LEAK}\n")
    for name in ("b", "a"):
        texts = [f"{name} {number}. {CLEAN} {LEAK.upper() if number % 4 == 0 else ''}" for number in range(30)]
        (tmp_path / f"{name}.jsonl").write_text("".join(json.dumps({"text": text}) + "\n" for text in texts))
    return [
        *("--jsonlines", str(tmp_path / "*.jsonl"), "--decontamination.files", str(tmp_path / "dev.tsv")),
        *("--decontamination.action", "drop"),
    ]


def test_without_an_output_lines_go_to_stdout(arguments: list[str], capsys: pytest.CaptureFixture[str]) -> None:
    assert contamination.run(arguments) == 0
    shown = capsys.readouterr()
    lines = [json.loads(line) for line in shown.out.splitlines()]
    assert [line["file"] for line in lines] == ["a.jsonl"] * 8 + ["b.jsonl"] * 8
    assert {(*line["evaluation_files"], line["shared_ngrams"]) for line in lines} == {("dev.tsv", 7)}
    assert shown.err == "16 of 60 documents\n"


def test_every_byte_is_counted(
    arguments: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    progress, size = recorded(monkeypatch, contamination), sum(file.stat().st_size for file in tmp_path.glob("*.jsonl"))
    assert contamination.run([*arguments, "--split-bytes", "2000"]) == 0
    assert progress.ends == [("cut inputs", 2, 2), ("hash inputs", size, size), ("compare", size, size)]


def test_a_folder_holds_the_same_lines_however_the_input_is_cut(
    arguments: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert contamination.run(arguments) == 0
    expected = capsys.readouterr().out
    for name, size in (("whole", "10000000"), ("cut", "2000")):
        output = tmp_path / name
        assert contamination.run([*arguments, "--output", str(output), "--split-bytes", size]) == 0
        shown = capsys.readouterr()
        assert shown.out == ""
        assert shown.err.splitlines()[-1] == "16 of 60 documents"
        assert (output / "contaminated.jsonl").read_text() == expected
        report = json.loads((output / "report.json").read_text())
        assert (report["documents"], report["contaminated"]) == (60, 16)
        assert report["options"] == {"ngram_words": 13}
        assert report["counters"]["contaminated.by.dev.tsv"] == 16
    reports = [(tmp_path / name / "report.json").read_bytes() for name in ("whole", "cut")]
    assert reports[0] == reports[1]


def test_what_is_there_is_used_again_and_other_evaluation_files_are_compared_anew(
    arguments: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    output = tmp_path / "out"
    arguments = [*arguments, "--output", str(output), "--split-bytes", "2000"]
    assert contamination.run(arguments) == 0
    files = sorted((output / "splits").rglob("*.json"))
    assert len(files) > 4
    first = (output / "contaminated.jsonl").read_bytes()
    before = {path: path.stat().st_mtime_ns for path in files}
    files[0].unlink()
    assert contamination.run(arguments) == 0
    assert [path for path in files if path.stat().st_mtime_ns != before[path]] == [files[0]]
    assert (output / "contaminated.jsonl").read_bytes() == first
    (tmp_path / "b.tsv").write_text("0\tnothing of this stands in any document that is read here today or tomorrow\n")
    assert contamination.run([word.replace("dev.tsv", "b.tsv") for word in arguments]) == 0
    assert (output / "contaminated.jsonl").read_bytes() == b""


def test_all_bad_files_are_named_at_once(
    arguments: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "c.jsonl.gz").write_bytes(b"\x1f\x8b\x08 no gzip")
    (tmp_path / "d.jsonl.bz2").write_bytes(b"BZh9 no bzip2")
    arguments = [arguments[0], str(tmp_path / "*.jsonl*"), *arguments[2:], "--output", str(tmp_path / "out")]
    assert contamination.run(arguments) == 2
    said = capsys.readouterr().err
    assert said.startswith("contamination: 2 faults:")
    assert "c.jsonl.gz" in said
    assert "d.jsonl.bz2" in said
    assert not (tmp_path / "out" / "contaminated.jsonl").exists()


@pytest.mark.parametrize(
    ("added", "message"),
    [
        (["--jsonline", "x"], "did you mean --jsonlines?"),
        (["--workers", "2"], "Without --output the documents are printed by one process"),
        (["--runner=FnApiRunner"], "Without --output the documents are printed by one process"),
        (["--decontamination.ngram-words", "30"], "hold no text of 30 words in a row"),
    ],
)
def test_what_cannot_be_is_one_sentence(
    arguments: list[str], capsys: pytest.CaptureFixture[str], added: list[str], message: str
) -> None:
    assert contamination.run([*arguments, *added]) == 2
    shown = capsys.readouterr()
    assert message in shown.err
    assert len(shown.err.splitlines()) == 1
    assert shown.out == ""


def test_without_evaluation_files_there_is_nothing_to_do(
    arguments: list[str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for output in ([], ["--output", str(tmp_path / "out")]):
        assert contamination.run([*arguments[:2], *output]) == 2
        assert "name dev and test files by --decontamination.files" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()
