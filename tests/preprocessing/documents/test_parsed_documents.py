"""Documents go into a file and come out of it as they were, with all that was counted; damage never passes."""

import json
from collections import Counter
from collections.abc import Callable, Sequence
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from preprocessing.documents import parsed_documents
from preprocessing.documents.document import Document
from preprocessing.documents.drop_lists import document_key, write_drop_list
from preprocessing.documents.options import DecontaminationOptions, DocumentOptions
from preprocessing.documents.parsed_documents import SCHEMA, read_parsed, sidecar_hash, write_parsed
from preprocessing.documents.reading import faults_in, read_documents
from preprocessing.errors import PreprocessingError, TransientError
from preprocessing.sources import identity
from preprocessing.sources.split import Split
from preprocessing.tally import Tally

DOCUMENTS = (
    Document("wikipedia", "dump.bz2", "12", "Cats", ("Cats sleep.", "They eat.")),
    Document("books", "a.txt", "chapter=1", "", ("Ein Satz, größer als „zwei“.",)),
    Document(
        "books", "b/a.txt", "chapter=1", "Ä\u2028ö", tuple(f"Sentence {number} \U0001f600." for number in range(50))
    ),
)
KEY = "0" * 32


def written(folder: Path, documents: Sequence[Document], tally: Tally | None = None) -> Split:
    """The documents in a file, and the split that reads it."""
    target = folder / f"split-{KEY}.arrow"
    if tally is None:
        tally = Tally()
        tally.count("documents_in", len(documents))
        tally.count("documents_out", len(documents))
    write_parsed(documents, target, KEY, tally)
    return Split("books", str(target), "a.txt", 0, 9, parsed=sidecar_hash(target.with_suffix(".json").read_bytes()))


def test_documents_come_back_as_they_were(tmp_path: Path) -> None:
    split = written(tmp_path, DOCUMENTS)
    assert tuple(read_parsed(split, Tally())) == DOCUMENTS
    assert sorted(path.suffix for path in tmp_path.iterdir()) == [".arrow", ".json"]


TEXT = st.text(st.characters(exclude_categories=("Cs",)), max_size=12)
MADE_UP = st.builds(Document, TEXT, TEXT, TEXT, TEXT, st.lists(TEXT.filter(bool), min_size=1, max_size=6).map(tuple))


@given(documents=st.lists(MADE_UP, max_size=8), limit=st.integers(1, 40))
def test_any_documents_come_back_whatever_the_batches(
    tmp_path_factory: pytest.TempPathFactory, documents: list[Document], limit: int
) -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(parsed_documents, "BATCH_CHARACTERS", limit)
        split = written(tmp_path_factory.mktemp("split"), documents)
    assert list(read_parsed(split, Tally())) == documents


def test_the_layout_is_what_the_documentation_says(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(parsed_documents, "BATCH_CHARACTERS", 100)
    split = written(tmp_path, DOCUMENTS)
    with pa.OSFile(split.path) as source:
        reader = pa.ipc.open_file(source)
        # A batch ends with the document that fills it.
        assert [reader.get_batch(number).num_rows for number in range(reader.num_record_batches)] == [3]
        table = reader.read_all()
    assert table.schema == SCHEMA
    assert table.schema.names == ["source", "file", "locator", "title", "sentences"]
    assert table.schema.field("sentences").type == pa.list_(pa.string())
    assert table.column("sentences").to_pylist() == [list(document.sentences) for document in DOCUMENTS]
    monkeypatch.setattr(parsed_documents, "BATCH_CHARACTERS", 20)
    with pa.OSFile(written(tmp_path, DOCUMENTS).path) as source:
        reader = pa.ipc.open_file(source)
        assert [reader.get_batch(number).num_rows for number in range(reader.num_record_batches)] == [1, 1, 1]


def test_batches_are_bounded_and_compressed(tmp_path: Path) -> None:
    sentences = tuple("The same words again and again, sentence by sentence." for _ in range(2000))
    many = [Document("books", "a.txt", str(number), "", sentences) for number in range(40)]
    split = written(tmp_path, many)
    with pa.OSFile(split.path) as source:
        reader = pa.ipc.open_file(source)
        rows = [reader.get_batch(number).num_rows for number in range(reader.num_record_batches)]
    per_batch = -(-parsed_documents.BATCH_CHARACTERS // sum(map(len, sentences)))
    assert rows == [per_batch] * (40 // per_batch) + [40 % per_batch] * (40 % per_batch > 0)
    assert Path(split.path).stat().st_size < sum(map(len, sentences)) * 40 / 10
    assert list(read_parsed(split, Tally())) == many


def test_the_same_documents_make_the_same_bytes(tmp_path: Path) -> None:
    first = Path(written(tmp_path, DOCUMENTS).path).read_bytes()
    assert Path(written(tmp_path, DOCUMENTS).path).read_bytes() == first
    sink = pa.BufferOutputStream()
    with pa.ipc.new_file(sink, SCHEMA, options=pa.ipc.IpcWriteOptions(compression=pa.Codec("zstd", 3))) as writer:
        for batch in parsed_documents.batches(DOCUMENTS):
            writer.write_batch(batch)
    assert sink.getvalue().to_pybytes() == first


def test_what_was_counted_comes_back_but_for_the_documents_that_came_out(tmp_path: Path) -> None:
    tally = Tally()
    for name, amount in (("documents_in", 5), ("documents_out", 3), ("dropped.redirect", 1), ("cleaning.x", 7)):
        tally.count(name, amount)
    tally.reject("page 7", "no text")
    tally.lose_template("cite", 70)
    split = written(tmp_path, DOCUMENTS, tally)
    found = Tally()
    found.count("documents_out", 10)  # of others
    found.count("documents_in", 10)
    assert len(list(read_parsed(split, found))) == 3
    expected = Counter(tally.counters) | Counter({"documents_out": 10, "parsed_corpus.documents": 3})
    expected["documents_in"] += 10
    assert found.counters == expected
    assert (found.rejections, found.lost_templates) == (tally.rejections, tally.lost_templates)
    again = Tally()
    assert len(list(read_documents(split, DocumentOptions(), again))) == 3
    assert (again.documents_in, again.documents_out, again.unaccounted) == (5, 3, 0)


def test_drop_lists_and_decontamination_work_as_on_raw_text(tmp_path: Path) -> None:
    split = written(tmp_path, DOCUMENTS)
    write_drop_list(tmp_path / "drop.arrow", "near_duplicate", [document_key("books", "a.txt", "chapter=1")])
    (tmp_path / "dev.txt").write_text("what do they do? cats sleep, they eat")
    options = DocumentOptions(
        drop_lists=(str(tmp_path / "drop.arrow"),),
        decontamination=DecontaminationOptions(files=(str(tmp_path / "dev.txt"),), ngram_words=4, action="drop"),
    )
    tally = Tally()
    assert list(read_documents(split, options, tally)) == [DOCUMENTS[2]]
    assert tally.dropped == {"contaminated": 1, "near_duplicate": 1}
    assert (tally.documents_in, tally.documents_out, tally.unaccounted) == (3, 1, 0)
    assert tally.counters["drop_lists.1.documents"] == 1
    assert tally.rejections[0].locator == "dump.bz2 12"


def test_no_cleaning_and_no_sentence_rules_are_applied(tmp_path: Path) -> None:
    """Not even those that would drop the document."""
    odd = (Document("books", "a.txt", "1", "", ("a", "  b  b \x00", "One. Two. Three.", "cookie policy")),)
    assert tuple(read_documents(written(tmp_path, odd), DocumentOptions(), Tally())) == odd


def flip(path: Path, place: float) -> None:
    data = bytearray(path.read_bytes())
    data[int(place * (len(data) - 1))] ^= 1
    path.write_bytes(bytes(data))


DAMAGES: dict[str, Callable[[Path], None]] = {
    **{f"bit at {place}": lambda path, place=place: flip(path, place) for place in (0.0, 0.3, 0.5, 0.9, 1.0)},
    "truncated": lambda path: path.write_bytes(path.read_bytes()[:-1]),
    "longer": lambda path: path.write_bytes(path.read_bytes() + b"\0"),
    "empty": lambda path: path.write_bytes(b""),
    "gone": Path.unlink,
    "sidecar": lambda path: flip(path.with_suffix(".json"), 0.5),
    "no sidecar": lambda path: path.with_suffix(".json").unlink(),
    "other counters": lambda path: path.with_suffix(".json").write_text(
        json.dumps(json.loads(path.with_suffix(".json").read_text()) | {"documents": 4}, sort_keys=True)
    ),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_damage_is_one_sentence_before_any_document(tmp_path: Path, damage: str) -> None:
    split = written(tmp_path, DOCUMENTS)
    DAMAGES[damage](Path(split.path))
    tally = Tally()
    with pytest.raises(PreprocessingError, match="missing or damaged; remove it and run the command again") as caught:
        next(read_parsed(split, tally))
    assert split.path in str(caught.value)
    assert len(str(caught.value).splitlines()) == 1
    # Nothing to skip: parsing again mends it.
    with pytest.raises(PreprocessingError, match="missing or damaged"):
        list(read_documents(split, DocumentOptions(skip_bad_files=True), tally))
    assert not tally.counters
    assert [str(fault) for fault in faults_in(split, DocumentOptions())] == [str(caught.value)]


@pytest.mark.parametrize(("code", "error"), [(5, TransientError), (13, PreprocessingError)])
def test_trouble_of_the_system_is_told_apart(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: int, error: type[PreprocessingError]
) -> None:
    split = written(tmp_path, DOCUMENTS)

    def fails(*_: object) -> str:
        raise OSError(code, "trouble")

    monkeypatch.setattr(parsed_documents, "content_hash", fails)
    with pytest.raises(PreprocessingError, match=r"cannot be read \(trouble\)") as caught:
        next(read_parsed(split, Tally()))
    assert type(caught.value) is error
    assert len(faults_in(split, DocumentOptions())) == (error is PreprocessingError)


def test_nothing_is_left_where_reading_fails(tmp_path: Path) -> None:
    def documents():  # type: ignore[no-untyped-def]
        yield DOCUMENTS[0]
        raise PreprocessingError("no more")

    with pytest.raises(PreprocessingError, match="no more"):
        write_parsed(documents(), tmp_path / "split.arrow", KEY, Tally())
    assert list(tmp_path.iterdir()) == []


def test_the_hash_is_that_of_the_file(tmp_path: Path) -> None:
    split = written(tmp_path, DOCUMENTS)
    sidecar = json.loads(Path(split.path).with_suffix(".json").read_text())
    assert sidecar["content"] == identity.content_hash(split.path)
    assert sidecar["bytes"] == Path(split.path).stat().st_size
    assert (sidecar["split"], sidecar["documents"]) == (KEY, 3)
