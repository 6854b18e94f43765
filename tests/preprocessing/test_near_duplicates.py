import json
import random
from pathlib import Path

import numpy as np
import pytest

from preprocessing import near_duplicates
from preprocessing.documents.drop_lists import document_key, load_drop_lists
from preprocessing.documents.near_duplicate_groups import band_rows, linked_groups, open_signatures
from preprocessing.documents.near_duplicate_signatures import NearDuplicateOptions, write_signatures
from preprocessing.documents.options import DocumentOptions
from preprocessing.documents.reading import read_documents
from preprocessing.documents.word_ngrams import WordHasher
from preprocessing.errors import PreprocessingError
from preprocessing.sources.options import InputOptions
from preprocessing.sources.planning import plan_splits
from preprocessing.tally import Tally

pytest.importorskip("rensa")

WORDS = [f"word{i}" for i in range(3000)]
ORIGINALS, LENGTH = 12, 400


def text(rng: random.Random, length: int = LENGTH) -> list[str]:
    return rng.choices(WORDS, k=length)


def edited(rng: random.Random, words: list[str], edits: int) -> list[str]:
    """Each replaced word changes five of the 5-grams, so the similarity is about (396 - 5e) / (396 + 5e)."""
    changed = list(words)
    for place in rng.sample(range(0, len(words), 8), edits):
        changed[place] = "edited"
    return changed


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    """Originals 0 to 11; a close copy (similarity about 0.95) and a loose one (0.33) of the first three."""
    rng = random.Random(7)
    originals = [text(rng) for _ in range(ORIGINALS)]
    rows = [("original", words) for words in originals]
    for words in originals[:3]:
        rows.append(("close", [*edited(rng, words, 2)[:-3]]))
        rows.append(("loose", edited(rng, words, 40)))
    rows.append(("tiny", ["only", "three", "words"]))
    path = tmp_path / "corpus.jsonl"
    path.write_text("\n".join(json.dumps({"title": kind, "text": " ".join(words) + "."}) for kind, words in rows))
    return path


def run(path: Path, output: Path, *extra: str) -> set[bytes]:
    arguments = ["--jsonlines", str(path), "--output", str(output), "--runner=FnApiRunner", *extra]
    assert near_duplicates.run(arguments) == 0
    keys = load_drop_lists((str(output / "drop.arrow"),))._lists[0][1]
    return {bytes(key).ljust(16, b"\0") for key in keys}


def test_close_copies_go_and_the_longest_stays(corpus: Path, tmp_path: Path) -> None:
    dropped = run(corpus, tmp_path / "out")
    inputs = InputOptions(jsonlines=(str(corpus),))
    documents = [d for s in plan_splits(inputs) for d in read_documents(s, DocumentOptions(), Tally())]
    kinds = [d.title for d in documents if document_key(d.source, d.file, d.locator) in dropped]
    assert kinds == ["close"] * 3
    report = json.loads((tmp_path / "out" / "report.json").read_text())
    assert (report["documents"], report["dropped"], report["groups"]) == (18, 3, 3)
    assert all(group["size"] == 2 for group in report["largest_groups"])
    source = DocumentOptions(drop_lists=(str(tmp_path / "out" / "drop.arrow"),))
    tally = Tally()
    kept = [d for s in plan_splits(inputs) for d in read_documents(s, source, tally)]
    assert "close" not in {document.title for document in kept}
    assert tally.dropped == {"near_duplicate": 3, "too_short": 1}


def test_the_result_does_not_depend_on_splits_and_a_rerun_reuses_files(corpus: Path, tmp_path: Path) -> None:
    dropped = run(corpus, tmp_path / "one")
    assert run(corpus, tmp_path / "many", "--split-bytes", "5000") == dropped
    files = sorted((tmp_path / "many" / "signatures").rglob("*.arrow"))
    assert len(files) > 4
    before = {path: path.stat().st_mtime_ns for path in files}
    files[0].unlink()
    assert run(corpus, tmp_path / "many", "--split-bytes", "5000") == dropped
    after = {path: path.stat().st_mtime_ns for path in files}
    assert [path for path in files if before[path] != after[path]] == [files[0]]


def test_a_lower_threshold_finds_loose_copies(corpus: Path, tmp_path: Path) -> None:
    assert len(run(corpus, tmp_path / "out", "--threshold", "0.2")) == 6


@pytest.mark.parametrize(("threshold", "permutations"), [(0.5, 128), (0.7, 128), (0.8, 128), (0.9, 256)])
def test_bands_meet_at_the_threshold(threshold: float, permutations: int) -> None:
    rows = band_rows(threshold, permutations)

    def meets(similarity: float, rows: int) -> float:
        return 1 - (1 - similarity**rows) ** (permutations // rows)

    assert meets(threshold, rows) >= 0.99 > meets(threshold, rows + 1)


def test_signatures_estimate_the_similarity_without_bias(tmp_path: Path) -> None:
    """The share of equal numbers is binomial with the Jaccard similarity as its mean (Broder 1997)."""
    rng = random.Random(3)
    pairs, options = 150, NearDuplicateOptions(permutations=64)
    rows, truth = [], []
    hasher = WordHasher(options.ngram_words)
    for _ in range(pairs):
        words = text(rng, 200)
        other = edited(rng, words, 6)
        rows += [words, other]
        a, b = (set(hasher.ngrams([w.encode() for w in side]).tolist()) for side in (words, other))
        truth.append(len(a & b) / len(a | b))
    path = tmp_path / "c.jsonl"
    path.write_text("\n".join(json.dumps({"text": " ".join(words)}) for words in rows))
    (split,) = plan_splits(InputOptions(jsonlines=(str(path),)))
    keep_all = DocumentOptions(cleaning={"maximum_symbol_share": 1.0})  # type: ignore[arg-type]
    write_signatures(split, keep_all, options, tmp_path / "s.arrow")
    signatures = open_signatures([tmp_path / "s.arrow"], options.permutations)
    by_key = {signatures.key(i): i for i in range(2 * pairs)}
    order = [by_key[document_key(d.source, d.file, d.locator)] for d in read_documents(split, keep_all, Tally())]
    places = np.array(order)
    estimate = (signatures.rows(places[0::2]) == signatures.rows(places[1::2])).mean(axis=1)
    mean = float(np.mean(truth))
    error = np.sqrt(mean * (1 - mean) / options.permutations / pairs)
    assert abs(estimate.mean() - mean) < 4 * error


def test_no_documents_is_no_groups(tmp_path: Path) -> None:
    signatures = open_signatures([], 128)
    assert len(linked_groups(signatures, NearDuplicateOptions())) == 0


def test_foreign_signature_files_are_refused(tmp_path: Path, corpus: Path) -> None:
    (tmp_path / "x.arrow").write_text("no arrow")
    with pytest.raises(PreprocessingError, match=r"x\.arrow is not a signature file"):
        open_signatures([tmp_path / "x.arrow"], 128)
    (split,) = plan_splits(InputOptions(jsonlines=(str(corpus),)))
    write_signatures(split, DocumentOptions(), NearDuplicateOptions(), tmp_path / "y.arrow")
    with pytest.raises(PreprocessingError, match="signatures of 128 permutations, not 64"):
        open_signatures([tmp_path / "y.arrow"], 64)


def test_a_missing_package_is_one_sentence(
    tmp_path: Path, corpus: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(__import__("sys").modules, "rensa", None)
    assert near_duplicates.run(["--jsonlines", str(corpus), "--output", str(tmp_path / "o")]) == 2
    assert "near_duplicates: Near-duplicates need the package rensa; install it" in capsys.readouterr().err
