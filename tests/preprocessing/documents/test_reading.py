"""What holds for every source: drop lists, memory, odd text, and files that change while they are read."""

import json
import os
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import pytest

from preprocessing.documents.decontamination import Decontaminator
from preprocessing.documents.drop_lists import document_key, load_drop_lists, write_drop_list
from preprocessing.documents.options import CleaningOptions, DecontaminationOptions, DocumentOptions
from preprocessing.documents.reading import read_documents
from preprocessing.errors import PreprocessingError
from preprocessing.sources.options import InputOptions, LimitOptions
from preprocessing.sources.planning import plan_splits
from preprocessing.tally import Tally
from tests.preprocessing.documents.rows import TEXT, read


def test_dropped_documents_balance(tmp_path: Path) -> None:
    rows = [
        TEXT.format(0),
        "",
        "short",
        "1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22",
        "One single sentence that is certainly long enough to be kept.",
    ]
    (tmp_path / "r.jsonl").write_text("\n".join(json.dumps({"text": row}) for row in rows))
    documents, tally = read(
        inputs={"jsonlines": (str(tmp_path / "r.jsonl"),)}, cleaning=CleaningOptions(minimum_sentences=2)
    )
    assert len(documents) == tally.documents_out == 1
    assert tally.dropped == {"empty": 1, "mostly_symbols": 1, "too_few_sentences": 1, "too_short": 1}


def test_drop_lists_leave_documents_out(tmp_path: Path) -> None:
    (tmp_path / "r.jsonl").write_text("\n".join(json.dumps({"text": TEXT.format(i)}) for i in range(300)))
    inputs = {"jsonlines": (str(tmp_path / "r.jsonl"),)}
    every, _ = read(inputs=inputs)
    keys = [document_key(d.source, d.file, d.locator) for d in every[::3]]
    assert any(key.endswith(b"\0") for key in keys) or keys  # a key may end in zero bytes
    listed = tmp_path / "drop.arrow"
    assert write_drop_list(listed, "near_duplicate", keys * 2) == 100
    documents, tally = read(inputs=inputs, drop_lists=(str(listed),))
    assert [d.locator for d in documents] == [d.locator for i, d in enumerate(every) if i % 3]
    assert tally.dropped == {"near_duplicate": 100}


def test_keys_that_end_in_zero_bytes_are_told_apart(tmp_path: Path) -> None:
    listed = tmp_path / "drop.arrow"
    write_drop_list(listed, "r", [b"a" * 15 + b"\0", b"b" + b"\0" * 15])
    lists = load_drop_lists((str(listed),))
    assert lists.reason(b"a" * 15 + b"\0") == lists.reason(b"b" + b"\0" * 15) == "r"
    assert lists.reason(b"a" * 16) is lists.reason(b"\0" * 16) is lists.reason(b"c" * 16) is None
    write_drop_list(tmp_path / "none.arrow", "r", [])
    assert load_drop_lists((str(tmp_path / "none.arrow"),)).reason(b"a" * 16) is None


def test_a_foreign_drop_list_is_refused(tmp_path: Path) -> None:
    (tmp_path / "r.jsonl").write_text(json.dumps({"text": TEXT}))
    (tmp_path / "x").write_text("not a list")
    with pytest.raises(PreprocessingError, match=r"x is not a drop list"):
        read(inputs={"jsonlines": (str(tmp_path / "r.jsonl"),)}, drop_lists=(str(tmp_path / "x"),))


def repeated_rows(path: Path, rows: int) -> None:
    with path.open("w") as stream:
        for i in range(rows):
            stream.write(json.dumps({"text": (TEXT.format(i) + " ") * 5}) + "\n")


def repeated_sentences(path: Path, rows: int) -> None:
    with path.open("w") as stream:
        for i in range(rows):
            stream.write("".join(TEXT.format(f"{i}-{j}\n") for j in range(5)) + "\n\n")


def repeated_paragraphs(path: Path, rows: int) -> None:
    with path.open("w") as stream:
        for i in range(rows):
            stream.write(TEXT.format(i) * 5 + "\n\n")


@pytest.mark.parametrize(
    ("source", "fill"),
    [("jsonlines", repeated_rows), ("sentences", repeated_sentences), ("books", repeated_paragraphs)],
)
def test_memory_does_not_grow_with_the_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, source: str, fill: Callable[[Path, int], None]
) -> None:
    # Buffers of fixed size are made small, so that small files are large beside them.
    for constant in ("stored_stream.PIECE_BYTES", "decompression._BUFFER_BYTES", "encodings.detection._BLOCK_BYTES"):
        monkeypatch.setattr(f"preprocessing.sources.{constant}", 1 << 14)
    monkeypatch.setattr("preprocessing.sources.records.sentence_encoding._PART_BYTES", 1 << 10)
    monkeypatch.setattr("preprocessing.sources.books.reader._MARGIN_LINES", 100)
    monkeypatch.setattr("preprocessing.sources.books.gutenberg._HEADER_LINES", 100)
    limits = LimitOptions(document_characters=1 << 16)
    peaks = []
    for rows in (500, 500, 2000):  # the first one warms caches
        path = tmp_path / f"{rows}.txt"
        fill(path, rows)
        (split,) = plan_splits(InputOptions(**{source: (str(path),)}))
        tracemalloc.start()
        count = sum(1 for _ in read_documents(split, DocumentOptions(limits=limits), Tally()))
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
        assert count > 1
    assert peaks[2] < 1.2 * peaks[1]


def test_a_file_that_grows_while_it_is_read_is_noticed(tmp_path: Path) -> None:
    """As while its download still runs; a new time alone is no change."""
    path = tmp_path / "a.txt"
    path.write_text("A first document stands here.\nIt is long enough to be kept.\n\n" * 9)
    (split,) = plan_splits(InputOptions(sentences=(str(path),)))
    os.utime(path, ns=(5, 5))
    assert len(list(read_documents(split, DocumentOptions(), Tally()))) == 9
    with path.open("r+") as file:
        file.write("B")
    for skip in (False, True):
        with pytest.raises(PreprocessingError, match=r"--sentences .*a\.txt was changed while it was read"):
            list(read_documents(split, DocumentOptions(skip_bad_files=skip), Tally()))


def test_a_process_that_outlives_a_build_reads_lists_and_evaluation_files_again(tmp_path: Path) -> None:
    listed, evaluation = tmp_path / "drop.arrow", tmp_path / "dev.txt"
    options = DecontaminationOptions(files=(str(evaluation),), ngram_words=3)
    for number, word in enumerate(("first", "second")):
        write_drop_list(listed, word, [bytes([number]) * 16])
        evaluation.write_text(f"one two {word}")
        os.utime(evaluation, ns=(number, number))
        assert load_drop_lists((str(listed),)).reason(bytes([number]) * 16) == word
        assert Decontaminator.load(options).matches([f"one two {word}"])


def test_odd_text_is_counted_before_it_is_cleaned(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    rows = [{"text": f"The caf\u00c3\u00a9 number {i} was \x93closed\x94 and so we went home. " * 2} for i in range(3)]
    path.write_text("\n".join(map(json.dumps, rows)))
    documents, tally = read(inputs={"jsonlines": (str(path),)})
    assert "\x93" not in documents[0].sentences[0]
    assert tally.counters["checks.c1_controls"] == 12
    assert tally.counters["checks.mojibake_paragraphs"] == tally.counters["checks.paragraphs"] == 3
