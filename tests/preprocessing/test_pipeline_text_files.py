"""A build from a folder of one's own files, from the first command to the report."""

import json
import os
import zipfile
from pathlib import Path

import numpy as np
import pytest

from preprocessing import corpus, near_duplicates, vocabulary
from preprocessing.pipeline import run
from preprocessing.shards.reader import ShardSet
from preprocessing.tokens.tokenizer import SPECIAL_TOKENS

WORDS = [f"word{index}" for index in range(80)]
SMALL = ("--sequence-lengths", "16", "--heldout-fraction", "0.1", "--split-bytes", "4096", "--bucket-bytes", "8192")


@pytest.fixture(scope="module")
def notes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Sixty files of all kinds, one that is none, a book with a damaged chapter; `vocab.txt` lies beside the folder."""
    folder = tmp_path_factory.mktemp("inputs") / "notes"
    (folder / "deep").mkdir(parents=True)
    generator = np.random.default_rng(13)

    def paragraphs() -> list[str]:
        return [
            " ".join(generator.choice(WORDS, 12)).capitalize()
            + ". "
            + " ".join(generator.choice(WORDS, 9)).capitalize()
            + "."
            for _ in range(6)
        ]

    for number in range(20):
        (folder / f"{number}.md").write_text("# Heading\n\n" + "\n\n".join(paragraphs()))
        (folder / f"{number}.html").write_text("<p>".join(["<title>Page</title>", *paragraphs()]))
        (folder / "deep" / f"{number}.txt").write_text("\n\n".join(paragraphs()))
    (folder / "picture.png").write_bytes(b"\x89PNG")
    with zipfile.ZipFile(folder / "book.epub", "w") as archive:
        items = "".join(f'<item id="{n}" href="{n}.xhtml" media-type="application/xhtml+xml"/>' for n in "abc")
        archive.writestr("c.opf", f"<package>{items}</package>")
        for name in "ab":
            archive.writestr(f"{name}.xhtml", "<p>" + "</p><p>".join(paragraphs()) + "</p>")
    (folder.parent / "vocab.txt").write_text("".join(f"{piece}\n" for piece in [*SPECIAL_TOKENS, *WORDS, "."]))
    return folder


def rows(folder: Path) -> list[bytes]:
    return [path.read_bytes() for path in sorted((folder / "train").rglob("*.arrow"))]


def test_a_folder_of_files_becomes_shards(notes: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    vocab = ("--vocab", str(notes.parent / "vocab.txt"))
    assert run(["--text", str(notes), *vocab, "--output", str(tmp_path / "shards"), *SMALL]) == 0
    assert (
        "preprocessing: --text leaves out files that by their suffixes are none of its own" in capsys.readouterr().err
    )
    assert ShardSet.open(tmp_path / "shards").manifest.counters["text.files.md"] == 20
    report = json.loads((tmp_path / "shards" / "report.json").read_text())
    assert (report["documents"]["in"], report["documents"]["dropped"]) == (62, {"exact_duplicate": 0, "not_text": 1})
    assert report["sources"]["text"]["documents"] == 61
    assert [item["locator"] for item in report["rejected_sample"]] == ["picture.png"]
    assert [item["locator"] for item in report["damage_sample"]] == ["book.epub#c.xhtml"]
    assert "book.epub#c.xhtml" in (tmp_path / "shards" / "report.html").read_text()
    # another cut, and documents that were parsed before: the same rows
    assert (
        run(["--text", f"{notes}/**/*", *vocab, "--output", str(tmp_path / "cut"), *SMALL, "--split-bytes", "99999"])
        == 0
    )
    assert corpus.run(["--text", str(notes), "--output", str(tmp_path / "corpus"), "--split-bytes", "4096"]) == 0
    parsed = ["--corpus", str(tmp_path / "corpus"), *vocab, "--output", str(tmp_path / "parsed")]
    assert run([*parsed, *SMALL[:4], *SMALL[6:]]) == 0
    assert rows(tmp_path / "shards") == rows(tmp_path / "cut") == rows(tmp_path / "parsed")


def test_the_other_passes_read_it_too(notes: Path, tmp_path: Path) -> None:
    size = ("--vocabulary-size", "100")
    assert vocabulary.run(["--text", str(notes), "--output", str(tmp_path / "vocabulary"), *size]) == 0
    assert near_duplicates.run(["--text", str(notes), "--output", str(tmp_path / "near")]) == 0
    assert json.loads((tmp_path / "near" / "report.json").read_text())


def test_names_that_are_no_text_end_neither_a_build_nor_a_parsed_corpus(notes: Path, tmp_path: Path) -> None:
    folder = tmp_path / "notes"
    folder.mkdir()
    for number in range(20):
        (folder / f"{number}.md").write_bytes((notes / f"{number}.md").read_bytes())
    for name in (b"picture\xff.png", b"text\xff.txt"):
        (folder / os.fsdecode(name)).write_text("Word.")
    inputs = ("--text", str(folder), "--skip-bad-files", "--max-bad-share", "0.1")
    vocab = ("--vocab", str(notes.parent / "vocab.txt"))
    assert corpus.run([*inputs, "--output", str(tmp_path / "corpus"), "--split-bytes", "4096"]) == 0
    parsed = ("--corpus", str(tmp_path / "corpus"), *SMALL[:4], *SMALL[6:])
    for name, arguments in (("raw", (*inputs, *SMALL)), ("parsed", parsed)):
        assert run([*arguments, *vocab, "--output", str(tmp_path / name)]) == 0
        report = json.loads((tmp_path / name / "report.json").read_text())
        assert report["documents"]["dropped"] == {"exact_duplicate": 0, "not_text": 1, "bad_file": 1}
        assert [item["locator"] for item in report["rejected_sample"]] == ["picture\\udcff.png", "text\\udcff.txt"]
    assert rows(tmp_path / "raw") == rows(tmp_path / "parsed")
