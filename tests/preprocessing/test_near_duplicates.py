import json
import random
from pathlib import Path

import pyarrow as pa
import pytest

from preprocessing import near_duplicates
from preprocessing.documents.drop_lists import document_key, load_drop_lists
from preprocessing.documents.options import DocumentOptions
from preprocessing.documents.reading import read_documents
from preprocessing.sources.options import InputOptions
from preprocessing.sources.planning import plan_splits
from preprocessing.tally import Tally
from tests.recorded_progress import recorded

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


def test_the_table_of_groups_and_the_drop_list_say_the_same(
    corpus: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    progress = recorded(monkeypatch, near_duplicates)
    dropped = run(corpus, tmp_path / "out")
    assert progress.ends[2:] == [("add up splits", 1, 1), ("link near-duplicates", 0, None)]
    table = pa.ipc.open_file(str(tmp_path / "out" / "groups.arrow")).read_all().to_pylist()
    named = {(row["source"], row["file"], row["locator"]): row["kept"] for row in table}
    assert {document_key(*name) for name, kept in named.items() if not kept} == dropped
    assert sum(named.values()) == len({row["group"] for row in table}) == 3
    assert [row["similarity"] for row in table if row["kept"]] == [1.0] * 3
    assert all(0.8 <= row["similarity"] < 1 for row in table if not row["kept"])


def test_only_results_and_signatures_are_left(corpus: Path, tmp_path: Path) -> None:
    """Files of an interrupted run, of another threshold too, go when a later one ends; those of others stay."""
    output = tmp_path / "out"
    run(corpus, output)
    (signature,) = (output / "signatures").rglob("*.arrow")
    theirs, left = signature.with_name("notes.arrow"), signature.with_name("bands-00000-0123456789abcdef.arrow")
    for path in (theirs, left, signature.with_name(f"{signature.name}.tmp-1-2"), output / "groups.arrow.tmp-1-2"):
        path.write_bytes(b"")
    run(corpus, output, "--threshold", "0.5")
    assert sorted(path.name for path in signature.parent.iterdir()) == sorted(
        [signature.name, f"{signature.stem}.json", theirs.name]
    )
    assert sorted(path.name for path in output.iterdir() if path.is_file()) == [
        *("drop.arrow", "groups.arrow", "near-duplicates.json", "near-duplicates.lock", "report.json"),
    ]


def test_all_bad_files_are_named_at_once_and_forgotten_when_they_are_mended(
    corpus: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = corpus.read_text().splitlines()
    names = [tmp_path / name for name in ("0.jsonl", "1.jsonl.gz", "2.jsonl", "3.jsonl.bz2")]
    contents = ("\n".join(rows[:9]).encode(), b"\x1f\x8b\x08 no gzip", "\n".join(rows[9:]).encode(), b"BZh9 no bzip2")
    for path, content in zip(names, contents, strict=True):
        path.write_bytes(content)
    output = tmp_path / "out"
    arguments = ["--output", str(output), "--jsonlines"]
    assert near_duplicates.run([*arguments, *map(str, names)]) == 2
    said = capsys.readouterr().err
    assert said.startswith("near_duplicates: 2 faults:")
    assert "1.jsonl.gz" in said
    assert "3.jsonl.bz2" in said
    assert not (output / "drop.arrow").exists()
    assert near_duplicates.run([*arguments, *map(str, names[::2])]) == 0
    assert (output / "drop.arrow").exists()
    assert not list(output.rglob("failures"))


def test_a_missing_package_is_one_sentence(
    tmp_path: Path, corpus: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(__import__("sys").modules, "rensa", None)
    assert near_duplicates.run(["--jsonlines", str(corpus), "--output", str(tmp_path / "o")]) == 2
    assert "near_duplicates: Near-duplicates need the package rensa; install it" in capsys.readouterr().err
