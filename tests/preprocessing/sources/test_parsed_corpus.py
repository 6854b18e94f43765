"""`corpus.json`: what it says comes back as splits, and what it does not say is refused."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from preprocessing.errors import PreprocessingError
from preprocessing.sources.options import InputOptions
from preprocessing.sources.parsed_corpus import CORPUS_VERSION, ParsedCorpus, SplitRecord, documents_path, plan_corpora
from preprocessing.sources.planning import plan_splits
from preprocessing.sources.split import Split

BOOKS = Split(
    *("books", "/raw/a.txt", "a.txt", 0, 70),
    content="11",
    modified=5,
    more=(Split("books", "/raw/b.txt.gz", "b.txt.gz", 0, 30, "gzip", "22", modified=6),),
)
ROWS = Split("parquet", "/raw/rows", "rows", 2, 4, content="33", bytes=500, modified=7)


def written(folder: Path, *splits: Split) -> ParsedCorpus:
    """A complete corpus; its files of documents are of the right size and hold nothing."""
    records = tuple(SplitRecord.of(split, 1, 3, f"hash of {split.file}") for split in splits)
    corpus = ParsedCorpus(version=CORPUS_VERSION, options={}, inputs_hash="", splits=records, tally={})
    (folder / "documents").mkdir(parents=True)
    for split in splits:
        documents_path(folder, split.key).write_text("abc")
        documents_path(folder, split.key).with_suffix(".json").write_text("{}")
    corpus.write(folder)
    return corpus


def test_splits_say_what_they_were_parsed_from_and_open_what_was_parsed(tmp_path: Path) -> None:
    corpus = written(tmp_path, BOOKS, ROWS)
    assert ParsedCorpus.read(tmp_path) == corpus
    books, rows = plan_splits(InputOptions(corpus=(str(tmp_path),)))
    for raw, split in ((BOOKS, books), (ROWS, rows)):
        assert {piece.path for piece in split.pieces()} == {str(documents_path(tmp_path, raw.key))}
        assert {piece.parsed for piece in split.pieces()} == {f"hash of {raw.file}"}
        for name in ("source", "file", "start", "end", "compression", "content", "bytes"):
            assert [getattr(p, name) for p in split.pieces()] == [getattr(p, name) for p in raw.pieces()], name
        assert split.size == raw.size
        assert {piece.modified for piece in split.pieces()} == {0}  # a time says nothing of what was parsed
        assert Split.from_json(json.loads(json.dumps(split.to_json()))) == split
    assert corpus.sources == {"books", "parquet"}


def test_the_key_is_of_the_raw_bytes_and_of_the_documents(tmp_path: Path) -> None:
    record = written(tmp_path, BOOKS).splits[0]
    keys = {record.key, record.split(tmp_path).key, record.model_copy(update={"sidecar": "other"}).split(tmp_path).key}
    assert len(keys) == 3
    assert record.raw_split().key == record.key == BOOKS.key
    assert record.split(tmp_path / "elsewhere").key == record.split(tmp_path).key


def test_no_path_of_this_machine_is_written(tmp_path: Path) -> None:
    written(tmp_path, BOOKS, ROWS)
    text = (tmp_path / "corpus.json").read_text()
    assert "/raw" not in text
    assert str(tmp_path) not in text


def changed(**values: Any) -> Callable[[dict[str, Any]], None]:
    return lambda data: data.update(values)


def without(name: str) -> Callable[[dict[str, Any]], None]:
    return lambda data: data.pop(name)


def other_piece(data: dict[str, Any]) -> None:
    data["splits"][0]["pieces"][0]["content"] = "99"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (changed(version=CORPUS_VERSION + 1), "parse the raw inputs again into another folder"),
        (changed(splits=[]), "is damaged"),
        (changed(other=1), "is damaged"),
        (without("version"), "is damaged"),
        (without("options"), "is damaged"),
        (other_piece, "is damaged"),
    ],
)
def test_another_manifest_is_refused(tmp_path: Path, change: Callable[[dict[str, Any]], None], message: str) -> None:
    written(tmp_path, BOOKS)
    path = tmp_path / "corpus.json"
    data = json.loads(path.read_text())
    change(data)
    path.write_text(json.dumps(data))
    with pytest.raises(PreprocessingError, match=message) as caught:
        plan_corpora([str(tmp_path)], ())
    assert str(tmp_path) in str(caught.value)


@pytest.mark.parametrize("content", ["", "[]", "null", '{"version": ', "\udcff"])
def test_what_is_no_manifest_is_refused(tmp_path: Path, content: str) -> None:
    (tmp_path / "corpus.json").write_bytes(content.encode(errors="surrogateescape"))
    with pytest.raises(PreprocessingError, match="is damaged; remove it and run the command again"):
        plan_corpora([str(tmp_path)], ())


def test_a_folder_without_manifest_is_no_corpus(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    for folder in (tmp_path, tmp_path / "none", tmp_path / "file"):
        with pytest.raises(
            PreprocessingError, match=r"holds no corpus\.json, so it is no parsed corpus or not complete"
        ):
            plan_corpora([str(folder)], ())
    with pytest.raises(PreprocessingError, match="of remote addresses only"):
        plan_corpora(["abfss://bucket/corpus"], ())


def test_files_that_are_missing_are_all_named(tmp_path: Path) -> None:
    written(tmp_path, BOOKS, ROWS, Split("books", "", "c.txt", 0, 1))
    documents_path(tmp_path, BOOKS.key).write_text("ab")
    documents_path(tmp_path, ROWS.key).with_suffix(".json").unlink()
    with pytest.raises(PreprocessingError) as caught:
        plan_corpora([str(tmp_path)], ())
    assert "2 faults" in str(caught.value)
    for split in (BOOKS, ROWS):
        assert f"{documents_path(tmp_path, split.key)} or the file of its counters is missing" in str(caught.value)


def test_nothing_is_read_twice(tmp_path: Path) -> None:
    written(tmp_path / "one", BOOKS)
    written(tmp_path / "two", ROWS, Split("books", "", "b.txt.gz", 0, 9))
    written(tmp_path / "three", ROWS)
    one, two, three = (str(tmp_path / name) for name in ("one", "two", "three"))
    assert len(plan_corpora([one, three], ())) == 2
    for folders, raw in (([one, two], ()), ([one, one], ()), ([one], [BOOKS])):
        with pytest.raises(PreprocessingError, match=r"books (a\.txt|b\.txt\.gz) is read twice, from --corpus .*one"):
            plan_corpora(folders, raw)
    # The same name in another source is another file.
    assert len(plan_corpora([one], [Split("jsonlines", "", "a.txt", 0, 9)])) == 1
