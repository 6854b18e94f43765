"""JSON lines, Parquet, Hugging Face datasets, Google's own layout, and the dispatcher in front of them."""

import bz2
import gzip
import json
import os
import tracemalloc
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import zstandard

from preprocessing.documents.decontamination import Decontaminator
from preprocessing.documents.document import Document
from preprocessing.documents.drop_lists import document_key, load_drop_lists, write_drop_list
from preprocessing.documents.options import CleaningOptions, DecontaminationOptions, DocumentOptions
from preprocessing.documents.reading import read_documents
from preprocessing.errors import PreprocessingError
from preprocessing.sources.options import InputOptions, LimitOptions, RecordOptions
from preprocessing.sources.planning import plan_splits
from preprocessing.tally import Tally

TEXT = "The first sentence of row {} is long enough. The second one follows it."
SENTENCES = ("The first sentence of row {} is long enough.", "The second one follows it.")


def read(split_bytes: int = 1 << 20, inputs: dict[str, object] | None = None, **options: object):  # type: ignore[no-untyped-def]
    tally = Tally()
    source = DocumentOptions(**options)  # type: ignore[arg-type]
    splits = plan_splits(InputOptions(**(inputs or {})), split_bytes)  # type: ignore[arg-type]
    documents = [document for split in splits for document in read_documents(split, source, tally)]
    assert tally.unaccounted == 0
    return documents, tally


def sentences_of(row: int) -> tuple[str, ...]:
    return tuple(sentence.format(row) for sentence in SENTENCES)


# JSON lines ---------------------------------------------------------------------------------------------------------

COMPRESSORS: dict[str, Callable[[bytes], bytes]] = {
    "": lambda data: data,
    "gz": gzip.compress,
    "bz2": bz2.compress,
    "zst": lambda data: zstandard.compress(data[:40]) + zstandard.compress(data[40:]),
}


@pytest.mark.parametrize("suffix", COMPRESSORS)
def test_json_lines(tmp_path: Path, suffix: str) -> None:
    rows = [{"text": TEXT.format(i), "title": f"Row {i}", "other": [1, {"x": None}]} for i in range(3)]
    data = "\n".join(map(json.dumps, rows)).encode()
    path = tmp_path / f"rows.jsonl{suffix}"
    path.write_bytes(COMPRESSORS[suffix](data))
    documents, _ = read(inputs={"jsonlines": (str(path),)})
    offset = len(json.dumps(rows[0])) + 1
    assert documents[1] == Document("jsonlines", path.name, f"byte={offset}", "Row 1", sentences_of(1))
    assert len(documents) == 3


def test_bad_rows_are_rejected_with_their_number_and_the_rest_goes_on(tmp_path: Path) -> None:
    good = json.dumps({"body": TEXT.format(0)}).encode()
    bad = {
        b"{not json": "row 3: not valid JSON (Expecting property name",
        b'["a"]': "row 5: not an object but list",
        b'{"text": "x", "b": 1}': "row 7: no text in field 'body'; it has 'text', 'b'",
        b'{"body": 7}': "row 9: no text in field 'body'; it has 'body'",
        b'{"body": "\xff"}': "row 11: not valid UTF-8 at its byte 10",
        b'{"body": "a\0b"}': "row 13: not valid JSON (Invalid control character at",
        b'{"body": "' + b"x" * 2000 + b'"}': "row 15: longer than 1,500 bytes",
        b"[" * 1000: "row 17: nested too deeply",
    }
    lines = [b"\xef\xbb\xbf" + good, b""]
    for line in bad:
        lines += [line, good]
    path = tmp_path / "rows.jsonl"
    path.write_bytes(b"\n".join(lines) + b"\n")
    for split_bytes in (300, 1 << 20):
        documents, tally = read(
            split_bytes,
            {"jsonlines": (str(path),)},
            records=RecordOptions(text_field="body"),
            limits=LimitOptions(line_bytes=1500),
        )
        assert len(documents) == 1 + len(bad)
        assert tally.counters["dropped.malformed"] == len(bad)
        reasons = "\n".join(rejection.reason for rejection in tally.rejections)
        for reason in bad.values():
            if not reason.startswith("row 17"):
                assert reason in reasons
        assert "row 17: " in reasons


def test_json_strings_are_paragraphs(tmp_path: Path) -> None:
    text = "A heading\n\nFirst paragraph. Two sentences.\nAnother line\u0000 here is \ud800 its own paragraph."
    (tmp_path / "r.jsonl").write_text(json.dumps({"text": text}))
    (document,), tally = read(inputs={"jsonlines": (str(tmp_path / "r.jsonl"),)})
    assert document.sentences == (
        "A heading",
        "First paragraph.",
        "Two sentences.",
        "Another line here is its own paragraph.",
    )
    assert tally.counters["cleaning.control_characters"] == 2


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"[\n  1,\n  2\n]\n", "is one JSON array, not an object a line; write a line for each"),
        (b'{\n  "text": "a"\n}\n', "has no readable row (row 1: not valid JSON"),
        (json.dumps({"content": "x"}).encode(), "name the field that holds the text by --records.text-field"),
        (gzip.compress(b'{"text": "a"}\n' * 9999, mtime=0)[:-10], "ends inside its gzip data"),
        (b"\x1f\x8bnonsense", "is damaged near byte"),
        (b"x" * (50 << 20), "row 1: longer than 16 MiB"),
    ],
)
def test_files_that_are_no_json_lines(tmp_path: Path, content: bytes, message: str) -> None:
    (tmp_path / "rows.jsonl").write_bytes(content)
    with pytest.raises(PreprocessingError) as caught:
        read(64 << 20, {"jsonlines": (str(tmp_path / "rows.jsonl"),)})
    assert message in str(caught.value)
    assert str(caught.value).startswith("rows.jsonl ")
    assert "\n" not in str(caught.value)


# Parquet ------------------------------------------------------------------------------------------------------------


def write_parquet(path: Path, rows: int = 30, group: int = 4) -> Path:
    table = pa.table({"id": range(rows), "text": [TEXT.format(i) for i in range(rows)], "title": ["T"] * rows})
    pq.write_table(table, path, row_group_size=group)
    return path


@pytest.mark.parametrize(("split_bytes", "splits"), [(1, 8), (1 << 20, 1)])
def test_parquet_by_row_groups(tmp_path: Path, split_bytes: int, splits: int) -> None:
    path = write_parquet(tmp_path / "p.parquet")
    inputs = {"parquet": (str(path),)}
    assert len(plan_splits(InputOptions(**inputs), split_bytes)) == splits
    documents, _ = read(split_bytes, inputs)
    assert [d.locator for d in documents] == [f"row={i}" for i in range(30)]
    assert documents[17] == Document("parquet", "p.parquet", "row=17", "T", sentences_of(17))


def test_parquet_nulls_and_dictionaries(tmp_path: Path) -> None:
    texts = pa.array([TEXT.format(0), None, TEXT.format(2)]).dictionary_encode()
    pq.write_table(pa.table({"text": texts}), tmp_path / "p.parquet")
    documents, tally = read(inputs={"parquet": (str(tmp_path / "p.parquet"),)})
    assert [d.locator for d in documents] == ["row=0", "row=2"]
    assert tally.rejections[0].reason == "null in column 'text'"


@pytest.mark.parametrize(
    ("column", "message"),
    [
        ("body", "has no column 'body' but 'id', 'text', 'title'; name the one"),
        ("id", "column 'id' holds int64, not text"),
    ],
)
def test_parquet_columns_are_checked(tmp_path: Path, column: str, message: str) -> None:
    path = write_parquet(tmp_path / "p.parquet")
    with pytest.raises(PreprocessingError, match=message):
        read(inputs={"parquet": (str(path),)}, records=RecordOptions(text_field=column))


def test_damaged_parquet_is_one_sentence(tmp_path: Path) -> None:
    path = write_parquet(tmp_path / "p.parquet")
    whole = path.read_bytes()
    path.write_bytes(whole[:-100])
    with pytest.raises(PreprocessingError, match=r"^p\.parquet is not a readable Parquet file"):
        read(inputs={"parquet": (str(path),)})
    path.write_bytes(whole[:100] + b"\xff" * 400 + whole[500:])
    with pytest.raises(PreprocessingError, match=r"^p\.parquet is damaged near row 0"):
        read(inputs={"parquet": (str(path),)})


# Hugging Face datasets ----------------------------------------------------------------------------------------------


def test_dataset_folder_is_read_by_shards(tmp_path: Path) -> None:
    folder = tmp_path / "corpus"
    folder.mkdir()
    for part in range(3):
        rows = "".join(json.dumps({"text": TEXT.format(part * 2 + i)}) + "\n" for i in range(2))
        (folder / f"train-{part}.jsonl").write_text(rows)
    inputs = {"dataset": (str(folder),)}
    splits = plan_splits(InputOptions(**inputs))
    assert len(splits) == 3
    assert len({split.key for split in splits}) == 3
    documents, _ = read(inputs=inputs)
    assert [d.locator for d in documents] == [f"shard={s};row={r}" for s in range(3) for r in range(2)]
    assert documents[3] == Document("huggingface", "corpus/train", "shard=1;row=1", "", sentences_of(3))


def test_dataset_files_and_saved_datasets(tmp_path: Path) -> None:
    import datasets

    path = write_parquet(tmp_path / "p.parquet", rows=3)
    documents, _ = read(inputs={"dataset": (str(path),)})
    assert documents[2] == Document("huggingface", "p.parquet/train", "shard=0;row=2", "T", sentences_of(2))
    saved = tmp_path / "saved"
    datasets.Dataset.from_dict({"text": [TEXT.format(0), None]}).save_to_disk(str(saved))
    documents, tally = read(inputs={"dataset": (str(saved),)})
    assert [d.sentences for d in documents] == [sentences_of(0)]
    assert tally.rejections[0].reason == "null in column 'text'"
    with pytest.raises(PreprocessingError, match="has no column 'body' but 'text'; name the one"):
        read(inputs={"dataset": (str(saved),)}, records=RecordOptions(text_field="body"))


@pytest.mark.parametrize(
    ("error", "message"),
    [
        (
            ConnectionError("Couldn't reach the Hub\nat all"),
            "the Hugging Face hub cannot be reached (Couldn't reach the Hub)",
        ),
        (ValueError("Unknown split"), "cannot be opened (Unknown split); check its name, configuration and split"),
    ],
)
def test_unreachable_datasets_are_one_sentence(monkeypatch: pytest.MonkeyPatch, error: Exception, message: str) -> None:
    def refuse(*arguments: object, **options: object) -> None:
        raise error

    monkeypatch.setattr("datasets.load_dataset_builder", refuse)
    with pytest.raises(PreprocessingError) as caught:
        plan_splits(InputOptions(dataset=("some/corpus:20231101.en",)))
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


# A sentence a line --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1252"])
def test_sentence_lines(tmp_path: Path, encoding: str) -> None:
    lines = [
        "Ein Satz. Über zwei Sätze hinweg auf einer Zeile.",
        "  Noch  einer ohne Punkt",
        "",
        " \t",
        "Das zweite Dokument hat nur einen einzigen längeren Satz.",
    ]
    path = tmp_path / "s.txt"
    path.write_bytes("\r\n".join(lines).encode(encoding))
    documents, _ = read(inputs={"sentences": (str(path),)}, language="de")
    assert [d.sentences for d in documents] == [(lines[0], "Noch einer ohne Punkt"), (lines[4],)]
    assert documents[0].locator == ("line=1" if encoding == "utf-16" else "byte=0")
    assert documents[1].locator != documents[0].locator


def test_one_document_without_blank_lines_is_warned_about(tmp_path: Path) -> None:
    path = tmp_path / "s.txt"
    path.write_text("".join(f"Sentence number {i} is here.\n" for i in range(100)))
    documents, tally = read(inputs={"sentences": (str(path),)})
    assert (len(documents), tally.counters["warnings.no_blank_lines"]) == (1, 1)
    documents, _ = read(inputs={"sentences": (str(path),)}, limits=LimitOptions(document_characters=1000))
    assert len(documents) > 2
    assert sum(len(d.sentences) for d in documents) == 100


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"x" * (50 << 20), "s.txt from byte 0, line 1 is longer than 16 MiB"),
        (b"one\ntwo\0\n", "s.txt holds a NUL byte at offset 7"),
    ],
)
def test_bad_sentence_files_are_one_sentence(tmp_path: Path, content: bytes, message: str) -> None:
    (tmp_path / "s.txt").write_bytes(content)
    with pytest.raises(PreprocessingError) as caught:
        read(64 << 20, {"sentences": (str(tmp_path / "s.txt"),)})
    assert message in str(caught.value)


# The dispatcher -----------------------------------------------------------------------------------------------------


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


# Encodings and odd text ---------------------------------------------------------------------------------------------


def test_sentences_in_an_encoding_of_their_own(tmp_path: Path) -> None:
    path = tmp_path / "lines.txt"
    lines = "Größe ist nicht alles, sagte die müde Möwe über dem Hafen.\nSüße Äpfel schmecken besser.\n\n"
    path.write_bytes((lines * 3).encode("mac_roman"))
    (document, *_), tally = read(inputs={"sentences": (str(path),)}, language="de")
    assert document.sentences == tuple(lines.split("\n")[:2])
    assert tally.counters["encodings.mac_roman"] == tally.counters["encodings.guessed"] == 1
    assert [note.locator for note in tally.notes] == ["lines.txt"]
    (document, *_), tally = read(inputs={"sentences": (str(path),)}, sentences={"encoding": "cp850"})
    assert document.sentences[0].startswith("Gr")
    assert "ß" not in document.sentences[0]
    assert not tally.notes
    with pytest.raises(PreprocessingError, match=r"set --language .* by --sentences\.encoding\."):
        read(inputs={"sentences": (str(path),)}, language="ru")


def test_odd_text_is_counted_before_it_is_cleaned(tmp_path: Path) -> None:
    path = tmp_path / "rows.jsonl"
    rows = [{"text": f"The caf\u00c3\u00a9 number {i} was \x93closed\x94 and so we went home. " * 2} for i in range(3)]
    path.write_text("\n".join(map(json.dumps, rows)))
    documents, tally = read(inputs={"jsonlines": (str(path),)})
    assert "\x93" not in documents[0].sentences[0]
    assert tally.counters["checks.c1_controls"] == 12
    assert tally.counters["checks.mojibake_paragraphs"] == tally.counters["checks.paragraphs"] == 3
