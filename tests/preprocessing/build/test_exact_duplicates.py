"""The key of a document, and which of equal ones stays."""

import itertools

import pyarrow as pa
import pytest

from preprocessing.build.exact_duplicates import measured_content, without_exact_duplicates
from preprocessing.documents.document import Document


def document(*sentences: str, file: str = "file.txt", locator: str = "1") -> Document:
    return Document("sentences", file, locator, "", sentences)


def table_of(documents: list[Document]) -> pa.Table:
    keys = [measured_content(one)[:2] for one in documents]
    return pa.table(
        {
            "key_high": pa.array([high for high, _ in keys], pa.uint64()),
            "key_low": pa.array([low for _, low in keys], pa.uint64()),
            **{name: [getattr(one, name) for one in documents] for name in ("source", "file", "locator", "title")},
        }
    )


def test_content_keys_tell_sentences_apart_and_nothing_else() -> None:
    keys = {measured_content(document(*sentences))[:2] for sentences in [("a b",), ("a", "b"), ("b", "a")]}
    assert len(keys) == 3
    assert measured_content(document("a", locator="1")) == measured_content(document("a", file="other", locator="2"))
    assert all(0 <= half < 2**64 for key in keys for half in key)


@pytest.mark.parametrize("sentences", [(), ("a",), ("Ein Haß.", "二つ", "x"), ("a\nb", "c")])
def test_the_size_is_that_of_the_sentences(sentences: tuple[str, ...]) -> None:
    assert measured_content(document(*sentences)).text_bytes == sum(len(sentence.encode()) for sentence in sentences)


def test_of_equal_documents_the_first_by_file_and_locator_stays_whatever_their_order() -> None:
    documents = [
        document("same", file="b", locator="1"),
        document("same", file="a", locator="2"),
        document("same", file="a", locator="1"),
        document("other", file="c"),
    ]
    for order in itertools.permutations(documents):
        table, gone = without_exact_duplicates(table_of(list(order)))
        assert gone.select(["kept", "file", "locator"]).to_pylist() == [
            {"kept": True, "file": "a", "locator": "1"},
            {"kept": False, "file": "a", "locator": "2"},
            {"kept": False, "file": "b", "locator": "1"},
        ]
        assert len(set(gone.column("content_key").to_pylist())) == 1
        assert sorted(zip(*(table.column(name).to_pylist() for name in ("file", "locator")), strict=True)) == [
            ("a", "1"),
            ("c", "1"),
        ]
        keys = list(zip(*(table.column(name).to_pylist() for name in ("key_high", "key_low")), strict=True))
        assert keys == sorted(keys)


def test_half_a_key_makes_no_duplicate() -> None:
    table = table_of([document("a"), document("b"), document("c")])
    low = table.set_column(0, "key_high", pa.array([7, 7, 7], pa.uint64()))
    high = table.set_column(1, "key_low", pa.array([7, 7, 7], pa.uint64()))
    assert [without_exact_duplicates(one)[1].num_rows for one in (low, high)] == [0, 0]


def test_who_duplicates_whom_is_told_by_group() -> None:
    documents = [document(text, file=file) for text, file in zip("abcbaada", "12345678", strict=True)]
    table, groups = without_exact_duplicates(table_of(documents))
    assert table.num_rows == 4
    found: dict[str, list[tuple[bool, str]]] = {}
    for row in groups.to_pylist():
        found.setdefault(row["content_key"], []).append((row["kept"], row["file"]))
    keys = {letter: "{:016x}{:016x}".format(*measured_content(document(letter))[:2]) for letter in "ab"}
    assert found == {
        keys["a"]: [(True, "1"), (False, "5"), (False, "6"), (False, "8")],
        keys["b"]: [(True, "2"), (False, "4")],
    }
    assert groups.column("content_key").to_pylist() == sorted(groups.column("content_key").to_pylist())
