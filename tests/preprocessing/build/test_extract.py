from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pytest

from preprocessing.build import extract
from preprocessing.build.configuration import BuildConfiguration, Job
from preprocessing.build.exact_duplicates import measured_content
from preprocessing.build.extract import extract_split, loaded_tokenizer, write_batches
from preprocessing.build.references import read_sidecar
from preprocessing.documents.document import Document
from preprocessing.errors import PreprocessingError
from preprocessing.examples.options import ExampleOptions
from preprocessing.sources.options import InputOptions
from preprocessing.sources.planning import plan_splits
from preprocessing.tally import Tally
from preprocessing.tokens.tokenizer import SPECIAL_TOKENS, Tokenizer, build

PIECES = [*SPECIAL_TOKENS, "the", "cat", "sat", "##s", ".", "dogs", "bark", "中", "国", "人"]


@pytest.fixture(scope="module")
def tokenizer() -> Tokenizer:
    return build({piece: index for index, piece in enumerate(PIECES)}, lowercase=True)


def make_job(folder: Path, tokenizer: Tokenizer, buckets: int = 3, **examples: object) -> Job:
    configuration = BuildConfiguration(
        examples=ExampleOptions(sequence_lengths=(16,), **examples),  # type: ignore[arg-type]
        tokenizer_fingerprint=tokenizer.fingerprint,
        buckets=buckets,
    )
    tokenizer.save(folder / "tokenizer")
    return Job(folder, configuration, configuration.hash, "inputs")


def document(*sentences: str, locator: str = "1", title: str = "") -> Document:
    return Document("sentences", "file.txt", locator, title, sentences)


def rows(path: Path) -> list[dict[str, object]]:
    with pa.ipc.open_file(path) as reader:
        return [row for number in range(reader.num_record_batches) for row in reader.get_batch(number).to_pylist()]


def test_documents_become_tokens_with_their_origin(tmp_path: Path, tokenizer: Tokenizer) -> None:
    tally = Tally()
    given = document("The cats sat.", "Dogs bark, dogs.", locator="7", title="Tïtle")
    write_batches([given], tmp_path / "x.arrow", tokenizer, make_job(tmp_path, tokenizer, 1), tally)
    (row,) = rows(tmp_path / "x.arrow")
    pieces = [PIECES[index] for index in row["tokens"]]  # type: ignore[attr-defined]
    assert pieces == ["the", "cat", "##s", "sat", ".", "dogs", "bark", "[UNK]", "dogs", "."]
    assert row["sentence_lengths"] == [5, 5]
    assert (row["source"], row["file"], row["locator"], row["title"]) == ("sentences", "file.txt", "7", "Tïtle")
    assert row["unknown_tokens"] == 1
    assert row["text_bytes"] == len("The cats sat.Dogs bark, dogs.")
    assert (row["key_high"], row["key_low"]) == measured_content(given)[:2]


def test_every_document_is_in_the_bucket_of_its_content(tmp_path: Path, tokenizer: Tokenizer) -> None:
    documents = [document("the cat " + "sat " * index, "dogs") for index in range(50)]
    batches = write_batches(documents, tmp_path / "x.arrow", tokenizer, make_job(tmp_path, tokenizer), Tally())
    with pa.ipc.open_file(tmp_path / "x.arrow") as reader:
        assert reader.num_record_batches == len(batches) == 3
        for number, (bucket, count) in enumerate(batches):
            batch = reader.get_batch(number)
            assert batch.num_rows == count
            assert {key % 3 for key in batch.column("key_high").to_pylist()} == {bucket}
    assert sum(count for _, count in batches) == 50


def test_memory_is_bounded_by_writing_early(
    tmp_path: Path, tokenizer: Tokenizer, monkeypatch: pytest.MonkeyPatch
) -> None:
    documents = [document("the cat " + "sat " * index, "dogs") for index in range(50)]
    job = make_job(tmp_path, tokenizer)
    write_batches(documents, tmp_path / "once.arrow", tokenizer, job, Tally())
    monkeypatch.setattr(extract, "ENCODED_CHARACTERS", 100)
    monkeypatch.setattr(extract, "HELD_TOKENS", 100)
    batches = write_batches(iter(documents), tmp_path / "often.arrow", tokenizer, job, Tally())
    assert len(batches) > 6
    order = "key_high"
    assert sorted(rows(tmp_path / "often.arrow"), key=lambda row: row[order]) == sorted(
        rows(tmp_path / "once.arrow"), key=lambda row: row[order]
    )


def test_what_has_no_tokens_is_dropped_and_counted(tmp_path: Path, tokenizer: Tokenizer) -> None:
    tally = Tally()
    tally.count("documents_in", 2)
    tally.count("documents_out", 2)
    documents = [document("\x00", "\x01"), document("the", "\x00", "cat")]
    write_batches(documents, tmp_path / "x.arrow", tokenizer, make_job(tmp_path, tokenizer, 1), tally)
    (row,) = rows(tmp_path / "x.arrow")
    assert row["sentence_lengths"] == [1, 1]
    assert (tally.documents_out, tally.dropped, tally.unaccounted) == (1, {"no_tokens": 1}, 0)


def test_half_a_surrogate_pair_does_no_harm(tmp_path: Path, tokenizer: Tokenizer) -> None:
    given = [document("the \ud83d cat", title="\ud83d"), document("dogs")]
    write_batches(given, tmp_path / "x.arrow", tokenizer, make_job(tmp_path, tokenizer, 1), Tally())
    assert [len(row["tokens"]) for row in rows(tmp_path / "x.arrow")] == [2, 1]  # type: ignore[arg-type]


def test_no_documents_give_an_empty_file(tmp_path: Path, tokenizer: Tokenizer) -> None:
    assert write_batches([], tmp_path / "x.arrow", tokenizer, make_job(tmp_path, tokenizer), Tally()) == []
    assert rows(tmp_path / "x.arrow") == []


def test_words_of_a_segmenter_are_kept(tmp_path: Path, tokenizer: Tokenizer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(extract, "load_word_segmenter", lambda name: lambda text: [text[:2], text[2:]])
    job = make_job(tmp_path, tokenizer, 1, word_segmenter="textwrap:wrap")
    write_batches([document("中国人", "人中国")], tmp_path / "x.arrow", tokenizer, job, Tally())
    (row,) = rows(tmp_path / "x.arrow")
    assert row["word_starts"] == [True, False, True, True, False, True]


def test_a_split_is_extracted_once(tmp_path: Path, tokenizer: Tokenizer) -> None:
    text = tmp_path / "text.txt"
    text.write_text("".join(f"The cat sat {'sat ' * n}and it sat there for long .\nDogs bark .\n\n" for n in range(20)))
    (split,) = plan_splits(InputOptions(sentences=(str(text),)))
    job = make_job(tmp_path / "out", tokenizer)
    tally = extract_split(split, job)
    assert tally.documents_out == 20
    files = {path: path.stat().st_mtime_ns for path in job.intermediate.iterdir()}
    assert sorted(path.suffix for path in files) == [".arrow", ".json"]
    assert all(split.key in path.name for path in files)
    sidecar = read_sidecar(job.split_path(split.key, ".json"))
    assert (sidecar["split"], sidecar["numbers"], sum(sidecar["documents"])) == (split.key, [0, 1, 2], 20)
    assert sidecar["tally"] == tally.to_json() == extract_split(split, job).to_json()
    assert {path: path.stat().st_mtime_ns for path in job.intermediate.iterdir()} == files
    # Without the sidecar, which comes last, the file does not count.
    job.split_path(split.key, ".json").unlink()
    assert extract_split(split, job).to_json() == tally.to_json()
    assert read_sidecar(job.split_path(split.key, ".json")) == sidecar


def test_a_process_that_outlives_a_build_takes_the_next_one_s_tokenizer(tmp_path: Path, tokenizer: Tokenizer) -> None:
    """As a worker of a Dask cluster does, when a folder is removed and built again with another vocabulary."""
    job = make_job(tmp_path, tokenizer)
    assert loaded_tokenizer(job).fingerprint == tokenizer.fingerprint
    other = build({piece: index for index, piece in enumerate([*PIECES, "birds"])}, lowercase=True)
    with pytest.raises(PreprocessingError, match="does not hold the tokenizer that the build was started with"):
        loaded_tokenizer(replace(job, configuration=make_job(tmp_path / "x", other).configuration))
    assert loaded_tokenizer(make_job(tmp_path, other)).fingerprint == other.fingerprint
