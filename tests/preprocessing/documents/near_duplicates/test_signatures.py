import json
import random
from pathlib import Path

import numpy as np
import pytest

from preprocessing.documents.drop_lists import document_key
from preprocessing.documents.near_duplicates.signatures import (
    NearDuplicateOptions,
    signature_batches,
    signature_matrix,
    write_signatures,
)
from preprocessing.documents.options import DocumentOptions
from preprocessing.documents.reading import read_documents
from preprocessing.documents.word_ngrams import WordHasher
from preprocessing.errors import PreprocessingError
from preprocessing.sources.options import InputOptions
from preprocessing.sources.planning import plan_splits
from preprocessing.sources.split import Split
from preprocessing.tally import Tally

pytest.importorskip("rensa")

WORDS = [f"word{i}" for i in range(3000)]
KEEP_ALL = DocumentOptions(cleaning={"maximum_symbol_share": 1.0})  # type: ignore[arg-type]


def split_of(folder: Path, texts: list[list[str]]) -> Split:
    path = folder / "c.jsonl"
    path.write_text("\n".join(json.dumps({"text": " ".join(words)}) for words in texts))
    (split,) = plan_splits(InputOptions(jsonlines=(str(path),)))
    return split


def test_signatures_estimate_the_similarity_without_bias(tmp_path: Path) -> None:
    """The share of equal numbers is binomial with the Jaccard similarity as its mean (Broder 1997)."""
    rng = random.Random(3)
    pairs, options = 150, NearDuplicateOptions(permutations=64)
    rows, truth = [], []
    hasher = WordHasher(options.ngram_words)
    for _ in range(pairs):
        words = rng.choices(WORDS, k=200)
        other = list(words)
        for place in rng.sample(range(0, len(words), 8), 6):
            other[place] = "edited"
        rows += [words, other]
        a, b = (set(hasher.ngrams([w.encode() for w in side]).tolist()) for side in (words, other))
        truth.append(len(a & b) / len(a | b))
    split, tally = split_of(tmp_path, rows), Tally()
    write_signatures(split, KEEP_ALL, options, tmp_path / "s.arrow", tally)
    batches = list(signature_batches(tmp_path / "s.arrow", options.permutations))
    signatures = np.concatenate([signature_matrix(batch) for batch in batches])
    keys = [key for batch in batches for key in batch.column("key").to_pylist()]
    documents = list(read_documents(split, KEEP_ALL, Tally()))
    assert keys == [document_key(d.source, d.file, d.locator) for d in documents]
    assert {source for batch in batches for source in batch.column("source").to_pylist()} == {"jsonlines"}
    assert tally.documents_out == 2 * pairs
    estimate = (signatures[0::2] == signatures[1::2]).mean(axis=1)
    mean = float(np.mean(truth))
    error = np.sqrt(mean * (1 - mean) / options.permutations / pairs)
    assert abs(estimate.mean() - mean) < 4 * error


def test_documents_of_too_few_words_are_counted_and_left_out(tmp_path: Path) -> None:
    options = DocumentOptions(cleaning={"minimum_characters": 0})  # type: ignore[arg-type]
    tally = Tally()
    split = split_of(tmp_path, [["only", "three", "words."], WORDS[:60]])
    write_signatures(split, options, NearDuplicateOptions(), tmp_path / "s.arrow", tally)
    assert sum(batch.num_rows for batch in signature_batches(tmp_path / "s.arrow", 128)) == 1
    assert tally.counters["no_signature"] == 1


def test_a_slice_of_a_batch_has_its_own_rows(tmp_path: Path) -> None:
    split = split_of(tmp_path, [WORDS[start : start + 60] for start in range(0, 600, 60)])
    write_signatures(split, KEEP_ALL, NearDuplicateOptions(), tmp_path / "s.arrow", Tally())
    (batch,) = signature_batches(tmp_path / "s.arrow", 128)
    assert (signature_matrix(batch.slice(3, 4)) == signature_matrix(batch)[3:7]).all()


def test_foreign_signature_files_are_refused(tmp_path: Path) -> None:
    (tmp_path / "x.arrow").write_text("no arrow")
    with pytest.raises(PreprocessingError, match=r"x\.arrow is not a signature file .*; remove it and run again"):
        list(signature_batches(tmp_path / "x.arrow", 128))
    with pytest.raises(PreprocessingError, match=r"z\.arrow is missing; run the same command again"):
        list(signature_batches(tmp_path / "z.arrow", 128))
    split = split_of(tmp_path, [WORDS[:60]])
    write_signatures(split, DocumentOptions(), NearDuplicateOptions(), tmp_path / "y.arrow", Tally())
    with pytest.raises(PreprocessingError, match="signatures of 128 permutations, not 64"):
        list(signature_batches(tmp_path / "y.arrow", 64))
