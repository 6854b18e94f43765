import itertools
from pathlib import Path

import numpy as np
import pytest

from preprocessing.build.buckets import BucketResult, build_bucket, read_result
from preprocessing.build.configuration import BuildConfiguration, Job
from preprocessing.build.extract import write_batches
from preprocessing.build.references import BatchReference
from preprocessing.documents.document import Document
from preprocessing.examples.options import ExampleOptions
from preprocessing.shards.reader import read_shard, read_table
from preprocessing.tally import Tally
from preprocessing.tokens.tokenizer import SPECIAL_TOKENS, Tokenizer, build

WORDS = [f"word{index}" for index in range(60)]


@pytest.fixture(scope="module")
def tokenizer() -> Tokenizer:
    return build({piece: index for index, piece in enumerate([*SPECIAL_TOKENS, *WORDS])}, lowercase=True)


def make_documents(count: int, source: str = "sentences", file: str = "a.txt") -> list[Document]:
    rng = np.random.default_rng(3)
    return [
        Document(
            source,
            file,
            f"{number}",
            f"title {number}",
            tuple(" ".join(rng.choice(WORDS, rng.integers(3, 12))) for _ in range(rng.integers(2, 9))),
        )
        for number in range(count)
    ]


def make_job(folder: Path, tokenizer: Tokenizer, **examples: object) -> Job:
    settings: dict[str, object] = {"sequence_lengths": (16, 32), "duplicate_factor": 2, "heldout_fraction": 0.2}
    configuration = BuildConfiguration(
        examples=ExampleOptions(**{**settings, **examples}),  # type: ignore[arg-type]
        tokenizer_fingerprint=tokenizer.fingerprint,
        buckets=1,
    )
    tokenizer.save(folder / "tokenizer")
    return Job(folder, configuration, configuration.hash, "inputs")


def store(job: Job, tokenizer: Tokenizer, *files: list[Document]) -> list[BatchReference]:
    """Each list of documents as an intermediate file; references to them."""
    references = []
    for number, documents in enumerate(files):
        path = job.intermediate / f"split-{number}.arrow"
        write_batches(documents, path, tokenizer, job, Tally())
        references.append(BatchReference(path.name, (0,)))
    return references


def hashes(result: BucketResult) -> list[str]:
    return [result.documents.sha256, *(shard.sha256 for shard in result.shards)]


def test_a_bucket_becomes_shards_of_every_split_and_length(tmp_path: Path, tokenizer: Tokenizer) -> None:
    job = make_job(tmp_path, tokenizer)
    result = build_bucket(0, store(job, tokenizer, make_documents(40)), job)
    assert [shard.name for shard in result.shards] == [
        f"{split}/{length}/part-00000-of-00001.arrow" for split in ("train", "heldout") for length in (16, 32)
    ]
    table = read_table(tmp_path / result.documents.name)
    assert table.num_rows == 40
    assert table.column("content_key").to_pylist() == sorted(table.column("content_key").to_pylist())
    heldout = np.flatnonzero(table.column("heldout").to_numpy())
    assert 0 < len(heldout) < 20
    assert result.corpus.heldout_documents == len(heldout)
    for record in result.shards:
        shard = read_shard(tmp_path / record.name, record)
        assert shard.rows > 0
        for column in (shard.document_a, shard.document_b):
            assert np.isin(column, heldout).all() == (record.split == "heldout")
        assert shard.table.schema.metadata[b"configuration_hash"].decode() == job.configuration_hash
        statistics = result.statistics[f"{record.split}/{record.length}"]
        assert statistics.rows == shard.rows == sum(statistics.rows_by_source.values())


def test_what_the_document_table_says_is_where_the_tokens_come_from(tmp_path: Path, tokenizer: Tokenizer) -> None:
    job = make_job(tmp_path, tokenizer, objective="none", duplicate_factor=1, heldout_fraction=0.0)
    documents = {document.locator: document for document in make_documents(20)}
    result = build_bucket(0, store(job, tokenizer, list(documents.values())), job)
    table = read_table(tmp_path / result.documents.name).to_pylist()
    shard = read_shard(tmp_path / result.shards[1].name)
    for row in range(shard.rows):
        ids = shard.input_ids[shard.token_offsets[row] : shard.token_offsets[row + 1]].copy()
        masks = slice(shard.mask_offsets[row], shard.mask_offsets[row + 1])
        ids[shard.masked_positions[masks]] = shard.masked_labels[masks]
        text = " ".join(documents[table[shard.document_a[row]]["locator"]].sentences)
        assert " ".join(tokenizer.tokens[index] for index in ids[1:-1]) in text


def test_the_order_and_grouping_of_the_documents_do_not_matter(tmp_path: Path, tokenizer: Tokenizer) -> None:
    documents = make_documents(30)
    wanted = None
    groupings = [[documents], [documents[:7], documents[7:]], [documents[20:], documents[:20][::-1]]]
    for number, files in enumerate(groupings):
        job = make_job(tmp_path / str(number), tokenizer)
        references = store(job, tokenizer, *files)
        found = hashes(build_bucket(0, references[::-1], job))
        wanted = wanted or found
        assert found == wanted


def test_of_exact_duplicates_the_first_by_name_stays(tmp_path: Path, tokenizer: Tokenizer) -> None:
    originals = make_documents(10, file="b.txt")
    copies = [Document("sentences", "a.txt", "x", "copy", document.sentences) for document in originals[:4]]
    for number, files in enumerate(itertools.permutations([originals, copies, originals[:2]])):
        job = make_job(tmp_path / str(number), tokenizer)
        result = build_bucket(0, store(job, tokenizer, *files), job)
        table = read_table(job.folder / result.documents.name)
        assert result.documents_in == 16
        assert sorted(table.column("file").to_pylist()) == ["a.txt"] * 4 + ["b.txt"] * 6
        tally = Tally.from_json(result.tally)
        assert (tally.dropped, tally.documents_out) == ({"exact_duplicate": 6}, -6)
        told = read_table(tmp_path / str(number) / "duplicates" / "part-00000-of-00001.arrow")
        assert told.column("kept").to_pylist().count(False) == 6
        assert told.filter(told.column("kept")).column("file").to_pylist().count("a.txt") == 4


def test_statistics_of_the_corpus_are_by_source(tmp_path: Path, tokenizer: Tokenizer) -> None:
    job = make_job(tmp_path, tokenizer)
    other = [Document("books", "b", "1", "", ("word1 strange", "word2 word3"))]
    result = build_bucket(0, store(job, tokenizer, make_documents(5), other), job)
    assert result.corpus.documents_by_source == {"books": 1, "sentences": 5}
    assert not (tmp_path / "duplicates").exists()
    assert result.corpus.tokens_by_source["books"] == 4
    assert result.corpus.unknown_tokens_by_source == {"books": 1, "sentences": 0}
    assert result.corpus.text_bytes_by_source["books"] == len("word1 strangeword2 word3")


def test_a_complete_bucket_is_not_built_again_and_a_damaged_one_is(tmp_path: Path, tokenizer: Tokenizer) -> None:
    job = make_job(tmp_path, tokenizer)
    references = store(job, tokenizer, make_documents(30))
    first = build_bucket(0, references, job)
    shard = tmp_path / first.shards[0].name
    before = shard.stat().st_mtime_ns
    assert build_bucket(0, references, job) == first
    assert shard.stat().st_mtime_ns == before
    shard.write_bytes(shard.read_bytes()[:100])
    assert read_result(job, 0) is None
    assert build_bucket(0, references, job) == first
    assert read_result(job, 0) == first


@pytest.mark.parametrize("recipe", ["default", "reference"])
def test_both_recipes(tmp_path: Path, tokenizer: Tokenizer, recipe: str) -> None:
    job = make_job(tmp_path, tokenizer, recipe=recipe)
    result = build_bucket(0, store(job, tokenizer, make_documents(200)), job)
    statistics = result.statistics["train/16"]
    excess = statistics.random_pairs / statistics.rows - 0.5
    error = np.sqrt(0.25 / statistics.rows)
    assert excess > 5 * error if recipe == "reference" else abs(excess) < 3 * error
