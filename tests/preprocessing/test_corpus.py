"""A corpus parsed once: every command reads from it what it would read from the raw inputs."""

import gzip
import json
import random
import shutil
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from preprocessing import contamination, explain, near_duplicates, pipeline, vocabulary
from preprocessing.build import folder as build_folder
from preprocessing.build.configuration import count_buckets
from preprocessing.corpus import run
from preprocessing.documents.document import Document
from preprocessing.documents.options import DocumentOptions
from preprocessing.documents.reading import read_documents
from preprocessing.folder_lock import FolderLock
from preprocessing.shards.manifest import Manifest
from preprocessing.shards.reader import ShardSet, read_table
from preprocessing.sources.options import InputOptions
from preprocessing.sources.planning import plan_splits
from preprocessing.tally import Tally

WORDS = [f"word{number}" for number in range(300)]
SPLIT_BYTES = "3000"


def prose(rng: random.Random, sentences: int) -> list[str]:
    return [" ".join(rng.choices(WORDS, k=rng.randint(4, 14))).capitalize() + "." for _ in range(sentences)]


@pytest.fixture(scope="module")
def raw(tmp_path_factory: pytest.TempPathFactory) -> dict[str, tuple[str, ...]]:
    """Small inputs of every kind of file, cut into several splits; with bad rows, short documents and duplicates."""
    folder = tmp_path_factory.mktemp("raw")
    rng = random.Random(3)
    page = (
        "<page><title>Page {0}</title><ns>0</ns><id>{0}</id><revision><id>1</id>"
        '<text xml:space="preserve">{1} {{{{lost template|some text}}}}</text></revision></page>\n'
    )
    pages = [page.format(number, " ".join(prose(rng, 9))) for number in range(20)]
    pages.append(page.format(99, ""))
    (folder / "dump.xml").write_text(f"<mediawiki>\n{''.join(pages)}</mediawiki>\n")
    (folder / "books").mkdir()
    for name in ("a", "b", "sub-c"):
        (folder / "books" / f"{name}.txt").write_text("\n\n".join(" ".join(prose(rng, 4)) for _ in range(4)))
    rows = [{"text": " ".join(prose(rng, 8)), "title": f"Row {number}"} for number in range(12)]
    rows += [rows[3], {"text": "too short"}, {"other": 1}, {"text": " ".join(prose(rng, 3)), "title": "half \ud800"}]
    (folder / "rows.jsonl.gz").write_bytes(gzip.compress("\n".join(map(json.dumps, rows)).encode()))
    texts = [" ".join(prose(rng, 7)) for _ in range(12)]
    pq.write_table(pa.table({"text": [*texts, None]}), folder / "rows.parquet", row_group_size=4)
    lines = ["\n".join([*prose(rng, 6), "No full stop here Nor. here"]) for _ in range(12)]
    (folder / "lines.txt").write_text("\n\n".join(lines))
    (folder / "eval").mkdir()
    (folder / "eval" / "dev.tsv").write_text(f"{texts[2]}\n")
    return {
        "wikipedia": (str(folder / "dump.xml"),),
        "books": (str(folder / "books"),),
        "jsonlines": (str(folder / "rows.jsonl.gz"),),
        "parquet": (str(folder / "rows.parquet"),),
        "sentences": (str(folder / "lines.txt"),),
    }


@pytest.fixture(scope="module")
def words(raw: dict[str, tuple[str, ...]]) -> list[str]:
    """The raw inputs as options."""
    return [word for source, paths in raw.items() for word in (f"--{source}", *paths)]


@pytest.fixture(scope="module")
def corpus(words: list[str], tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("parsed") / "corpus"
    assert run([*words, "--output", str(folder), "--split-bytes", SPLIT_BYTES]) == 0
    return folder


@pytest.fixture(autouse=True)
def _no_pictures(monkeypatch: pytest.MonkeyPatch) -> None:
    """They would take most of the time."""
    monkeypatch.setattr(build_folder, "write_report", lambda manifest, folder: None)


def read(inputs: InputOptions) -> tuple[list[Document], Tally]:
    tally = Tally()
    options = DocumentOptions()
    splits = plan_splits(inputs, int(SPLIT_BYTES))
    return [document for split in splits for document in read_documents(split, options, tally)], tally


def test_documents_and_counters_are_those_of_the_raw_inputs(raw: dict[str, tuple[str, ...]], corpus: Path) -> None:
    documents, tally = read(InputOptions(**raw))  # type: ignore[arg-type]
    again, counted = read(InputOptions(corpus=(str(corpus),)))
    assert {document.source for document in documents} == set(raw)
    assert again == documents
    assert counted.counters.pop("parsed_corpus.documents") == len(documents)
    assert counted.to_json() == tally.to_json()
    assert counted.unaccounted == 0
    assert counted.dropped == {"empty": 1, "malformed": 2, "too_short": 1}


def test_splits_and_buckets_are_as_many(raw: dict[str, tuple[str, ...]], corpus: Path) -> None:
    ours = plan_splits(InputOptions(corpus=(str(corpus),)))
    theirs = plan_splits(InputOptions(**raw), int(SPLIT_BYTES))  # type: ignore[arg-type]
    assert [split.size for split in ours] == [split.size for split in theirs]
    for size in (1000, 1024, 4096, 7777, 1 << 25):
        assert count_buckets(ours, size) == count_buckets(theirs, size)


@pytest.fixture(scope="module")
def vocab(words: list[str], tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("vocabulary")
    assert vocabulary.run([*words, "--output", str(folder), "--vocabulary-size", "200"]) == 0
    return folder


def test_the_vocabulary_is_the_same(corpus: Path, vocab: Path, tmp_path: Path) -> None:
    words = ["--corpus", str(corpus), "--output", str(tmp_path / "v"), "--vocabulary-size", "200"]
    assert vocabulary.run(words) == 0
    assert (tmp_path / "v" / "tokenizer.json").read_bytes() == (vocab / "tokenizer.json").read_bytes()
    assert json.loads((tmp_path / "v" / "vocabulary.json").read_text())["sampled_share"] == 1.0


BUILD = ("--sequence-lengths", "32", "--bucket-bytes", "6000", "--heldout-fraction", "0.1", "--minimum-fill", "0")
BUILD += ("--maximum-alone-share", "1")


def built(folder: Path, vocab: Path, *words: str) -> Manifest:
    assert pipeline.run([*words, "--vocab", str(vocab), "--output", str(folder), *BUILD]) == 0
    return Manifest.read(folder)


def test_near_duplicates_evaluation_data_and_shards_are_the_same(
    raw: dict[str, tuple[str, ...]],
    words: list[str],
    corpus: Path,
    vocab: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    """The whole road, with everything that leaves documents out by their names or their text."""
    pytest.importorskip("rensa")
    cut = ["--split-bytes", SPLIT_BYTES]
    dev = ["--decontamination.files", str(Path(raw["sentences"][0]).parent / "*" / "dev.tsv")]
    inputs = {"raw": [*words, *cut], "parsed": ["--corpus", str(corpus)]}
    drops, lines, manifests = {}, {}, {}
    for name, given in inputs.items():
        output = tmp_path / "near" / name
        assert near_duplicates.run([*given, "--output", str(output), "--threshold", "0.5"]) == 0
        drops[name] = (output / "drop.arrow").read_bytes(), (output / "report.json").read_bytes()
        capsys.readouterr()
        assert contamination.run([*(word for word in given if word not in cut), *dev]) == 0
        lines[name] = capsys.readouterr().out
        left_out = ["--drop-lists", str(output / "drop.arrow"), *dev, "--decontamination.action", "drop"]
        manifests[name] = built(tmp_path / name, vocab, *given, *left_out)
    assert drops["raw"] == drops["parsed"]
    assert lines["raw"] == lines["parsed"] != ""
    ours, theirs = manifests["parsed"], manifests["raw"]
    assert ours.fingerprint == theirs.fingerprint
    assert ours.counters["dropped.near_duplicate"] == ours.counters["dropped.contaminated"] == 1
    # All that tells them apart: where the documents came from this time.
    assert ours.inputs_hash != theirs.inputs_hash
    del ours.tally["counters"]["parsed_corpus.documents"]
    assert ours.tables == theirs.tables != {}  # by their hashes: shards, document tables, inputs
    records = {"inputs", "shards", "documents"}
    same = ours.model_copy(update={"inputs_hash": theirs.inputs_hash})
    assert same.model_dump(mode="json", exclude=records) == theirs.model_dump(mode="json", exclude=records)
    assert ours.buckets > 3


def test_a_corpus_may_stand_beside_raw_inputs_and_other_corpora(
    raw: dict[str, tuple[str, ...]], words: list[str], vocab: Path, tmp_path: Path
) -> None:
    """Some inputs parsed, in two folders, with options that concern one of them, and some not."""
    books = ["--books", *raw["books"], "--books.keep-headings"]
    dumps = ["--wikipedia", *raw["wikipedia"], "--wikitext.keep-lists"]
    rows = ["--jsonlines", *raw["jsonlines"], "--limits.line-bytes", "1000000"]
    common = ["--limits.line-bytes", "1000000"]
    whole = built(tmp_path / "whole", vocab, *books, *dumps, *rows)
    for name, inputs in (("b", books), ("w", dumps)):
        assert run([*inputs, *common, "--output", str(tmp_path / name)]) == 0
    mixed = built(
        tmp_path / "mixed",
        vocab,
        "--corpus",
        str(tmp_path / "b"),
        str(tmp_path / "w"),
        "--jsonlines",
        *raw["jsonlines"],
    )
    assert mixed.fingerprint == whole.fingerprint
    assert mixed.configuration == whole.configuration


def test_a_build_notices_another_corpus(
    raw: dict[str, tuple[str, ...]], vocab: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows = tmp_path / "rows.jsonl.gz"
    shutil.copy(raw["jsonlines"][0], rows)
    arguments = ["--jsonlines", str(rows), "--output", str(tmp_path / "corpus")]
    assert run(arguments) == 0
    shards = tmp_path / "shards"
    built(shards, vocab, "--corpus", str(tmp_path / "corpus"))
    shutil.move(tmp_path / "corpus", tmp_path / "moved")
    capsys.readouterr()
    again = ["--corpus", str(tmp_path / "moved"), "--vocab", str(vocab), "--output", str(shards), *BUILD]
    assert pipeline.run(again) == 0
    assert "complete already" in capsys.readouterr().out
    for options, message in (
        (["--jsonlines", str(rows)], "built from other inputs"),
        (["--jsonlines", str(rows), "--cleaning.minimum-characters", "60"], "built with another configuration"),
    ):
        shutil.rmtree(tmp_path / "moved")
        if "--cleaning.minimum-characters" not in options:
            rows.write_bytes(gzip.compress(gzip.decompress(rows.read_bytes()) + b"\n"))
        assert run([*options, "--output", str(tmp_path / "moved")]) == 0
        capsys.readouterr()
        assert pipeline.run(again) == 2
        assert message in capsys.readouterr().err


def test_a_damaged_corpus_ends_a_build_and_can_be_mended(
    raw: dict[str, tuple[str, ...]], vocab: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    corpus, shards = tmp_path / "corpus", tmp_path / "shards"
    parse = ["--jsonlines", *raw["jsonlines"], "--books", *raw["books"], "--output", str(corpus)]
    assert run(parse) == 0
    build = ["--corpus", str(corpus), "--vocab", str(vocab), "--output", str(shards), *BUILD]
    before = {path: path.read_bytes() for path in corpus.rglob("*.*")}
    damaged = next(path for path in before if path.suffix == ".arrow")
    damaged.write_bytes(bytes(byte ^ 255 for byte in before[damaged]))
    capsys.readouterr()
    assert pipeline.run(build) == 2
    message = capsys.readouterr().err
    assert f"preprocessing: --corpus: {damaged} or the file of its counters is missing or damaged" in message
    assert len(message.splitlines()) == 1
    assert not (shards / "manifest.json").exists()
    damaged.unlink()  # as the message says
    assert pipeline.run(build) == 2
    assert str(damaged) in capsys.readouterr().err
    assert run(parse) == 0
    assert {path: path.read_bytes() for path in corpus.rglob("*.*")} == before
    assert pipeline.run(build) == 0


def test_options_that_can_do_nothing_are_said(
    corpus: Path, vocab: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = ["--corpus", str(corpus), "--vocab", str(vocab), "--output", str(tmp_path / "s"), *BUILD]
    assert pipeline.run([*words, "--language", "de"]) == 2
    refused = capsys.readouterr().err
    assert "--language de can do nothing" in refused
    assert len(refused.splitlines()) == 1
    idle = ["--split-bytes", "5000", "--skip-bad-files", "--trust-times", "--dataset-split", "dev", "--language", "en"]
    assert pipeline.run([*words, *idle]) == 0
    said = capsys.readouterr().err.splitlines()
    assert [line.split()[1] for line in said] == [
        "--dataset-split",
        "--skip-bad-files",
        "--split-bytes",
        "--trust-times",
    ]
    assert said[1].endswith("does nothing without raw inputs: those of --corpus are parsed already.")


COMMANDS: dict[str, tuple[Callable[[list[str]], int], list[str]]] = {
    "pipeline": (pipeline.run, ["--vocab", "none"]),
    "vocabulary": (vocabulary.run, []),
    "near-duplicates": (near_duplicates.run, []),
    "contamination": (contamination.run, ["--decontamination.files", "none"]),
}


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_refuses_what_the_documents_contradict(
    corpus: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], command: str
) -> None:
    run_command, words = COMMANDS[command]
    output = [] if command == "contamination" else ["--output", str(tmp_path / "output")]
    assert run_command(["--corpus", str(corpus), *output, *words, "--cleaning.normalization", "NFKC"]) == 2
    said = capsys.readouterr().err
    assert "--cleaning.normalization NFKC can do nothing" in said
    assert len(said.splitlines()) == 1
    assert not (tmp_path / "output").exists()


def vars_of(document: Document) -> dict[str, str]:
    return {name: getattr(document, name) for name in ("source", "file", "locator", "title")}


def test_an_example_is_explained_from_the_corpus(
    corpus: Path, vocab: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    built(tmp_path / "shards", vocab, "--corpus", str(corpus))
    shards = ShardSet.open(tmp_path / "shards")
    record = max(shards.records("train", 32), key=lambda record: record.rows)
    assert explain.main([str(tmp_path / "shards" / record.name), "0", "--input", str(corpus)]) == 0
    printed = capsys.readouterr().out
    tables = [read_table(tmp_path / "shards" / table.name) for table in shards.manifest.documents]
    assert {source for table in tables for source in table.column("source").to_pylist()} == {
        *("books", "jsonlines", "parquet", "sentences", "wikipedia")
    }
    documents, _ = read(InputOptions(corpus=(str(corpus),)))
    shown = [line.split(". ", 1)[1] for line in printed.splitlines() if line.startswith("  1. ")]
    assert shown
    assert all(any(sentence in document.sentences for document in documents) for sentence in shown)
    books = [split for split in plan_splits(InputOptions(corpus=(str(corpus),))) if split.source == "books"]
    assert len(books) < 3  # some lie together, and are all called `book`
    for document in (*documents[18:24], documents[-1]):  # the last dumps, the books, rows
        assert explain.find_document(vars_of(document), str(corpus), DocumentOptions()) == document


def test_the_same_command_again_reads_nothing(
    raw: dict[str, tuple[str, ...]],
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    parse = ["--books", *raw["books"], "--output", str(tmp_path / "corpus")]
    assert run([*parse, "--wikitext.keep-lists", "no"]) == 0
    said = capsys.readouterr()
    assert "3 of 3 documents" in said.out
    assert said.err == "corpus: --wikitext.keep-lists does nothing without --wikipedia.\n"
    before = {path: path.stat().st_mtime_ns for path in (tmp_path / "corpus").rglob("*")}
    for more in ((), ("--trust-times",)):
        if more:
            monkeypatch.setattr("preprocessing.sources.identity.content_hash", lambda *_: pytest.fail("read again"))
        assert run([*parse, *more]) == 0
        assert "is complete already: nothing to do." in capsys.readouterr().out
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "corpus").rglob("*")} == before


REFUSED: dict[str, tuple[list[str], str]] = {
    "no input": ([], "There is no input"),
    "missing": (["--books", "none.txt"], "none.txt: there is no such file"),
    "remote output": (["--output", "abfss://bucket/corpus"], "of remote addresses only"),
    "drop list": (["--drop-lists", "x.arrow"], "is not an option of this program"),
    "evaluation data": (["--decontamination.files", "x.tsv"], "--decontamination.files is not an option"),
    "corpus": (["--corpus", "x"], "--corpus is not an option"),
    "language": (["--language", "??"], "is not a language code"),
    "workers": (["--workers", "0"], "--workers 0: must be at least 1"),
    "runner": (["--runner", "EmbeddedRunner"], "is not one of FnApiRunner"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_bad_input_is_one_sentence(
    raw: dict[str, tuple[str, ...]], tmp_path: Path, capsys: pytest.CaptureFixture[str], case: str
) -> None:
    words, message = REFUSED[case]
    inputs = [] if case in ("no input", "missing") else ["--sentences", *raw["sentences"], "--books", *raw["books"]]
    assert run([*inputs, "--output", str(tmp_path / "corpus"), *words]) == 2
    said = capsys.readouterr().err
    assert said.startswith("corpus: ")
    assert message in said
    assert len(said.splitlines()) == 1
    assert not (tmp_path / "corpus" / "corpus.json").exists()


def test_bad_files_are_all_named_or_counted(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    for name in "abc":
        (tmp_path / f"{name}.txt").write_bytes(
            b"A text that is long enough to stay, with a sentence. " * 2 + b"\0" * (name != "b")
        )
    words = ["--books", str(tmp_path / "?.txt"), "--output", str(tmp_path / "corpus")]
    assert run(words) == 2
    said = capsys.readouterr().err
    assert "2 faults" in said
    assert "a.txt" in said
    assert "c.txt" in said
    assert run([*words, "--skip-bad-files"]) == 0
    assert "1 of 3 documents" in capsys.readouterr().out
    _, tally = read(InputOptions(corpus=(str(tmp_path / "corpus"),)))
    assert tally.dropped == {"bad_file": 2}


def test_one_writer_at_a_time(
    raw: dict[str, tuple[str, ...]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.setattr("preprocessing.folder_lock.WAIT_SECONDS", 0.0)
    with FolderLock(tmp_path / "corpus", "corpus.lock", ""):
        assert run(["--books", *raw["books"], "--output", str(tmp_path / "corpus")]) == 2
    assert "is in use by process" in capsys.readouterr().err
