"""Two folders of shards: one made by hand, for what reads shards without building them, and one of a small build."""

from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest

from preprocessing.build import folder as build_folder
from preprocessing.examples.arrays import Examples
from preprocessing.examples.statistics import CorpusStatistics, ExampleStatistics
from preprocessing.pipeline import run
from preprocessing.shards.manifest import Manifest
from preprocessing.shards.record_columns import DocumentTableRecords, InputRecords, ShardRecords
from preprocessing.shards.records import InputRecord
from preprocessing.shards.writer import documents_path, shard_path, write_documents, write_shard
from preprocessing.tally import Tally
from preprocessing.tokens.tokenizer import SPECIAL_TOKENS, build
from tests.preprocessing import small_build

WORDS = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "the", "cat", "sat", "##s", ".", "dogs", "bark", "why", "not")


def example_rows() -> Examples:
    """Pairs "the cat sat . | dogs bark ." (random next) and "why not . | the cats ." (next), each kind of mask once."""
    identity = {word: number for number, word in enumerate(WORDS)}
    first = ["[CLS]", "the", "[MASK]", "sat", ".", "[SEP]", "dogs", "bark", ".", "[SEP]"]
    second = ["[CLS]", "why", "dogs", ".", "[SEP]", "the", "cat", "##s", ".", "[SEP]"]
    ids = np.array([identity[piece] for piece in first + second], np.uint16)
    return Examples(
        token_offsets=np.array([0, len(first), len(first) + len(second)], np.int32),
        input_ids=ids,
        segment_b_start=np.array([6, 5], np.uint16),
        mask_offsets=np.array([0, 1, 3], np.int32),
        masked_positions=np.array([2, 2, 6], np.uint16),
        masked_labels=np.array([identity["cat"], identity["not"], identity["cat"]], np.uint16),
        is_random_next=np.array([True, False]),
        document_a=np.array([0, 1], np.uint32),
        document_b=np.array([1, 1], np.uint32),
    )


@pytest.fixture
def shard_folder(tmp_path: Path) -> Path:
    """A complete folder with one training shard of length 16 and an empty held-out one."""
    folder = tmp_path / "shards"
    tokenizer = build({word: number for number, word in enumerate(WORDS)}, lowercase=True)
    tokenizer.save(folder / "tokenizer")
    rows = example_rows()
    none = Examples(**{name: a[:1] if name.endswith("offsets") else a[:0] for name, a in vars(rows).items()})
    documents = pa.table(
        {
            "source": ["wikipedia", "sentences"],
            "file": ["dump.xml", "lines.txt"],
            "locator": ["12", "byte=0"],
            "title": ["Cats", ""],
        }
    )
    tally = Tally()
    tally.count("documents_in", 9)
    tally.count("documents_out", 2)
    tally.count("dropped.redirect", 4)
    tally.count("dropped.duplicate", 2)
    tally.reject("page 7", "no text")
    tally.lose_template("cost $ of {x}", 12)
    Manifest(
        format_version=1,
        configuration_hash="c" * 64,
        configuration={"source": {"language": "en"}},
        inputs_hash="i" * 64,
        inputs=InputRecords.of((InputRecord(source="wikipedia", file="dump.xml", bytes=1000, splits=1),)),
        tokenizer_fingerprint=tokenizer.fingerprint,
        vocabulary_size=len(WORDS),
        buckets=1,
        lengths=(16,),
        shards=ShardRecords.of(
            (
                write_shard(shard_path(folder, "train", 16, 0, 1), rows, {}),
                write_shard(shard_path(folder, "heldout", 16, 0, 1), none, {}),
            )
        ),
        documents=DocumentTableRecords.of((write_documents(documents_path(folder, 0, 1), documents, {}),)),
        tally=tally.to_json(),
        corpus=CorpusStatistics(
            documents_by_source={"wikipedia": 1, "sentences": 1},
            sentences_by_source={"wikipedia": 2, "sentences": 3},
            tokens_by_source={"wikipedia": 4, "sentences": 10},
            unknown_tokens_by_source={"sentences": 1},
            text_bytes_by_source={"wikipedia": 20, "sentences": 40},
        ),
        statistics={
            "train/16": ExampleStatistics(
                rows=2,
                tokens=20,
                random_pairs=1,
                masked_tokens=3,
                masked_as_mask=1,
                masked_as_random=1,
                masked_as_original=1,
                words_by_length={1: 11, 2: 1},
                masked_words_by_length={1: 2, 2: 1},
                masked_pieces_by_length={1: 2, 2: 1},
                rows_by_source={"wikipedia": 1, "sentences": 1},
            ),
            "heldout/16": ExampleStatistics(),
        },
    ).write(folder)
    return folder


@pytest.fixture(scope="module")
def inputs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """`text/*.txt` in the layout of a sentence a line, three files with a duplicate document, and a vocabulary."""
    folder = tmp_path_factory.mktemp("inputs")
    (folder / "text").mkdir()
    rng = np.random.default_rng(11)
    for name in "abc":
        documents = []
        for _ in range(60):
            lines = [" ".join(rng.choice(small_build.WORDS, rng.integers(4, 15))) for _ in range(rng.integers(2, 9))]
            documents.append("\n".join(lines) + "\n")
        if name == "c":
            documents.append((folder / "text" / "a.txt").read_text().split("\n\n")[5] + "\n")
        (folder / "text" / f"{name}.txt").write_text("\n".join(documents))
    (folder / "vocab.txt").write_text("".join(f"{piece}\n" for piece in [*SPECIAL_TOKENS, *small_build.WORDS]))
    return folder


@pytest.fixture
def no_pictures(monkeypatch: pytest.MonkeyPatch) -> None:
    """Most of the time of a build this small would be spent on drawing its report."""
    monkeypatch.setattr(build_folder, "write_report", lambda manifest, folder: None)


@pytest.fixture
def build_shards(inputs: Path, tmp_path: Path, no_pictures: None) -> small_build.Build:
    def call(*options: str, output: Path | None = None) -> int:
        source = (
            ()
            if any(option.startswith("--sentences") for option in options)
            else (
                "--sentences",
                str(inputs / "text" / "*.txt"),
            )
        )
        vocabulary = () if "--vocab" in options else ("--vocab", str(inputs / "vocab.txt"))
        return run([*source, *vocabulary, "--output", str(output or tmp_path / "shards"), *small_build.SMALL, *options])

    return call
