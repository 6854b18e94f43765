"""A build whose files lie in S3: the same bytes as of the same files on a disk, and one sentence where that fails."""

import bz2
import gzip
import json
import re
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import zstandard

from preprocessing import contamination, corpus, explain, export, inspect, near_duplicates, report, verify, vocabulary
from preprocessing.build import buckets, gather, partitions
from preprocessing.build import folder as build_folder
from preprocessing.documents.drop_lists import document_key, write_drop_list
from preprocessing.pipeline import run
from preprocessing.shards import ShardSet
from preprocessing.sources import identity
from preprocessing.sources.stored_stream import StoredStream
from preprocessing.storage import RemotePath
from preprocessing.tokens.tokenizer import SPECIAL_TOKENS

WORDS = [f"word{index}" for index in range(80)]
SMALL = ("--sequence-lengths", "16,32", "--heldout-fraction", "0.1", "--split-bytes", "9000", "--bucket-bytes", "73728")
CONTAINER = (
    '<container xmlns="urn:oasis:names:tc:opendocument:xmlns:container"><rootfiles><rootfile full-path="p.opf"/>'
    "</rootfiles></container>"
)
PACKAGE = (
    '<package xmlns="http://www.idpf.org/2007/opf"><metadata/><manifest>'
    '<item id="1" href="1.xhtml" media-type="application/xhtml+xml"/></manifest><spine><itemref idref="1"/></spine>'
    "</package>"
)


def write_inputs(folder: Path) -> None:
    """Every source, plain and compressed; evaluation data; a drop list; a vocabulary; a file of options."""
    draw = np.random.default_rng(5)

    def sentences(count: int) -> list[str]:
        return [" ".join(draw.choice(WORDS, draw.integers(5, 15))).capitalize() + "." for _ in range(count)]

    def text() -> str:
        return " ".join(sentences(int(draw.integers(4, 9))))

    for name in ("books/deep", "rows", "tables", "lines", "eval/rte"):
        (folder / name).mkdir(parents=True)
    pages = [
        f"<page><title>P{n}</title><ns>0</ns><id>{n}</id><revision><id>1</id><text>{text()}</text></revision></page>\n"
        for n in range(30)
    ]
    head = '<mediawiki xml:lang="en"><siteinfo><namespaces><namespace key="0" /></namespaces></siteinfo>\n'
    streams = [head, *("".join(pages[start : start + 10]) for start in (0, 10, 20)), "</mediawiki>\n"]
    (folder / "dump.xml.bz2").write_bytes(b"".join(bz2.compress(stream.encode()) for stream in streams))
    (folder / "books" / "one.txt").write_text("\n\n".join(text() for _ in range(20)))
    with zipfile.ZipFile(folder / "books" / "deep" / "two.epub", "w") as epub:
        paragraphs = "".join(f"<p>{text()}</p>" for _ in range(20))
        chapter = f'<html xmlns="http://www.w3.org/1999/xhtml"><body>{paragraphs}</body></html>'
        for name, content in {"META-INF/container.xml": CONTAINER, "p.opf": PACKAGE, "1.xhtml": chapter}.items():
            epub.writestr(name, content)
    rows = "".join(json.dumps({"text": text()}) + "\n" for _ in range(30))
    (folder / "rows" / "plain.jsonl").write_text(rows)
    (folder / "rows" / "packed.jsonl.gz").write_bytes(gzip.compress(rows[:4000].rpartition("\n")[0].encode()))
    for name, pieces in {"frames.jsonl.zst": frames, "blocks.jsonl.gz": blocks}.items():  # longer than a split
        noisy = [json.dumps({"text": text(), "noise": draw.bytes(700).hex()}) + "\n" for _ in range(30)]
        (folder / "rows" / name).write_bytes(pieces(["".join(noisy[n : n + 5]).encode() for n in range(0, 30, 5)]))
    pq.write_table(pa.table({"text": [text() for _ in range(40)]}), folder / "tables" / "t.parquet", row_group_size=10)
    lines = "\n\n".join("\n".join(sentences(5)) for _ in range(60))
    (folder / "lines" / "l.txt").write_text(lines + "\n")
    (folder / "eval" / "rte" / "dev.tsv").write_text("1\t" + " ".join(lines.split("\n\n")[7].split()) + "\n")
    write_drop_list(folder / "drop.arrow", "listed", [document_key("jsonlines", "plain.jsonl", "byte=0")])
    (folder / "vocab").mkdir()
    (folder / "vocab" / "vocab.txt").write_text("".join(f"{piece}\n" for piece in [*SPECIAL_TOKENS, ".", *WORDS]))
    (folder / "build.toml").write_text('duplicate_factor = 2\n[decontamination]\naction = "drop"\n')


def frames(pieces: list[bytes]) -> bytes:
    return b"".join(zstandard.compress(piece) for piece in pieces)


def blocks(pieces: list[bytes]) -> bytes:
    """One gzip stream of several Deflate blocks."""
    packer = zlib.compressobj(wbits=31)
    return b"".join(packer.compress(piece) + packer.flush(zlib.Z_BLOCK) for piece in pieces) + packer.flush()


def arguments(place: str, output: str) -> list[str]:
    sources = {
        "--wikipedia": "*.xml.bz2",
        "--books": "books",
        "--jsonlines": "rows/*",
        "--parquet": "tables/t.parquet",
        "--sentences": "**/l*.txt",
        "--decontamination.files": "eval/*/dev.tsv",
        "--drop-lists": "drop.arrow",
        "--vocab": "vocab",
        "--config": "build.toml",
    }
    return [word for name, value in sources.items() for word in (name, f"{place}/{value}")] + ["--output", output]


Build = Callable[..., int]


@pytest.fixture(autouse=True)
def _no_pictures(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(build_folder, "write_report", lambda manifest, folder: None)


@pytest.fixture(scope="module")
def inputs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("inputs") / "in"
    folder.mkdir()
    write_inputs(folder)
    return folder


@pytest.fixture(scope="module")
def local(inputs: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, bytes]:
    """All files of the build on a disk."""
    folder = tmp_path_factory.mktemp("local")
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(build_folder, "write_report", lambda manifest, folder: None)
        assert run([*arguments(str(inputs), str(folder / "shards")), *SMALL]) == 0
    shards = folder / "shards"
    return {path.relative_to(shards).as_posix(): path.read_bytes() for path in shards.rglob("*") if path.is_file()}


@pytest.fixture
def build(inputs: Path, bucket) -> Build:
    """The same build, from the bucket and into it."""
    bucket.put_folder(inputs, "in")

    def call(*options: str, output: str | None = None) -> int:
        place = bucket.address("in")
        return run([*arguments(place, output or bucket.address("out")), *SMALL, *bucket.options, *options])

    return call


def remote(bucket, folder: str = "out") -> dict[str, bytes]:
    return {name.removeprefix(f"{folder}/"): bucket.get(name) for name in bucket.names() if name.startswith(folder)}


def refused(capsys: pytest.CaptureFixture[str], code: int) -> str:
    printed = capsys.readouterr().err.strip()
    assert code == 2
    assert len(printed.splitlines()) == 1, printed
    return printed


def comparable(files: dict[str, bytes]) -> dict[str, bytes]:
    """Without the lock, and what names times of inputs."""
    return {name: content for name, content in files.items() if name not in ("build.lock", "inputs.feather")}


def test_every_source_and_every_output(build: Build, bucket, local: dict[str, bytes], inputs: Path) -> None:
    assert build() == 0
    assert comparable(remote(bucket)) == comparable(local)
    counters = json.loads(local["manifest.json"])["tally"]["counters"]
    assert counters["dropped.listed"] == counters["dropped.contaminated"] == 1
    assert counters["dropped.exact_duplicate"] > 3
    splits = ShardSet.open(RemotePath(bucket.address("out"))).manifest.inputs
    cut = {record.file for record in splits if record.splits > 1}
    assert {"rows/frames.jsonl.zst", "rows/blocks.jsonl.gz"} - {f"rows/{name}" for name in cut} == set()
    secret = b"a-secret-of-the-tests"
    assert not [name for name in bucket.names() if secret in bucket.get(name)]
    assert {name.partition("/")[0] for name in bucket.names()} == {"in", "out"}


def test_local_shards_of_remote_inputs(build: Build, local: dict[str, bytes], tmp_path: Path) -> None:
    assert build(output=str(tmp_path / "shards")) == 0
    assert (tmp_path / "shards" / "manifest.json").read_bytes() == local["manifest.json"]


def test_a_large_build_in_two_steps(
    build: Build, bucket, local: dict[str, bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(partitions, "DIRECT_BUCKETS", 2)
    monkeypatch.setattr(partitions, "PARTITIONS", 3)
    monkeypatch.setattr(gather, "GATHERED_TOKENS", 1000)
    monkeypatch.setattr(buckets, "_ASKED_ONE_BY_ONE", 3)
    assert build("--keep-intermediate") == 0
    assert len([name for name in bucket.names() if re.search(r"/partition-\d+-\w+\.arrow$", name)]) == 3
    kept = {name: content for name, content in remote(bucket).items() if not name.startswith("intermediate/")}
    assert comparable(kept) == comparable(local)
    assert build() == 0  # complete already: only what is intermediate goes
    assert comparable(remote(bucket)) == comparable(local)
    bucket.client.delete_object(Bucket=bucket.name, Key="out/train/16/part-00000-of-00004.arrow")
    assert build() == 0
    assert comparable(remote(bucket)) == comparable(local)


def test_what_is_complete_is_not_made_again(
    build: Build, bucket, local: dict[str, bytes], monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """A build that ends in the middle goes on."""
    monkeypatch.setattr(build_folder, "finish", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt()))
    assert build() == 130
    monkeypatch.undo()
    monkeypatch.setattr(build_folder, "write_report", lambda manifest, folder: None)
    for name in bucket.names():
        if "/bucket-00001" in name:
            bucket.client.delete_object(Bucket=bucket.name, Key=name)
    written = []
    whole = buckets.write_shard
    monkeypatch.setattr(buckets, "write_shard", lambda path, *rest: written.append(path.name) or whole(path, *rest))
    assert build() == 0
    assert set(written) == {"part-00001-of-00004.arrow"}
    assert comparable(remote(bucket)) == comparable(local)


def test_a_foreign_folder_is_refused_and_left_alone(build: Build, bucket, capsys: pytest.CaptureFixture[str]) -> None:
    bucket.put("out/results.csv", b"mine")
    bucket.put("out/deep/notes.txt", b"mine")
    message = refused(capsys, build())
    assert (
        f"--output {bucket.address('out')} is not empty and no build.json says that it is this program's own" in message
    )
    assert "(it holds deep, results.csv)" in message
    assert remote(bucket) == {"results.csv": b"mine", "deep/notes.txt": b"mine"}


def test_another_configuration_is_refused(build: Build, capsys: pytest.CaptureFixture[str]) -> None:
    assert build() == 0
    capsys.readouterr()
    assert "was built with another configuration (examples.seed: " in refused(capsys, build("--seed", "7"))


def test_bad_files_are_all_named(build: Build, bucket, capsys: pytest.CaptureFixture[str]) -> None:
    for name in ("bad1", "bad2"):
        bucket.put(f"in/books/{name}.txt", b"text\0text" * 99)
    assert build() == 2
    said = capsys.readouterr().err
    assert "bad1.txt holds a NUL byte" in said
    assert "bad2.txt holds a NUL byte" in said
    assert build("--skip-bad-files") == 0
    assert json.loads(remote(bucket)["manifest.json"])["tally"]["counters"]["dropped.bad_file"] == 2
    assert not [name for name in bucket.names() if "failures" in name]


def test_a_file_that_changes_while_it_is_read(
    build: Build, bucket, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its time says so, and then its content."""
    whole, changed = StoredStream.read, []

    def read(stream: StoredStream) -> bytes:
        if stream.name == "lines/l.txt" and not changed:
            changed.append(bucket.put("in/lines/l.txt", b"Another text.\n" + bucket.get("in/lines/l.txt")[14:]))
        return whole(stream)

    monkeypatch.setattr(StoredStream, "read", read)
    monkeypatch.setattr(identity, "status", lambda path: type("Found", (), {"st_mtime_ns": 1, "st_size": 1}))
    assert "l.txt was changed while it was read" in refused(capsys, build())
    assert changed


def test_inputs_are_known_again_by_size_and_time(build: Build, bucket, monkeypatch: pytest.MonkeyPatch) -> None:
    assert build() == 0
    hashed = []
    whole = identity.content_hash
    monkeypatch.setattr(identity, "content_hash", lambda path, *rest: hashed.append(str(path)) or whole(path, *rest))
    assert build("--trust-times") == 0
    assert hashed == []
    assert build() == 0
    assert bucket.address("in/dump.xml.bz2") in hashed


def test_the_commands_that_read_a_build(
    build: Build, bucket, inputs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert build() == 0
    assert run([*arguments(str(inputs), str(tmp_path / "shards")), *SMALL]) == 0
    shard = "train/16/part-00000-of-00004.arrow"
    names = [str(tmp_path / "shards"), bucket.address("out")]
    said = []
    for folder, place in zip(names, (str(inputs), bucket.address("in")), strict=True):
        capsys.readouterr()
        options = bucket.options if folder.startswith("s3") else ()
        assert verify.main([folder, *options]) == 0
        assert inspect.main([folder, "--rows", "2", *options]) == 0
        assert explain.main([f"{folder}/{shard}", "1", *options]) == 0
        assert export.main([folder, "--output", f"{folder}-parquet", *options]) == 0
        assert report.main([folder, "--output", f"{folder}-report", *options]) == 0
        said.append(capsys.readouterr().out.replace(folder, "FOLDER").replace(place, "PLACE"))
    assert said[0] == said[1]
    assert "intact" in said[0]
    for made in ("parquet", "report"):
        here = {path.name: path.read_bytes() for path in (tmp_path / f"shards-{made}").iterdir()}
        there = remote(bucket, f"out-{made}")
        assert {name.removeprefix("/") for name in there} | {"export.lock"} == set(here) | {"export.lock"}
        assert all(here[name] == content for name, content in there.items())


def test_what_verify_finds(build: Build, bucket, capsys: pytest.CaptureFixture[str]) -> None:
    assert build() == 0
    shard = bucket.get("out/train/16/part-00000-of-00004.arrow")
    bucket.put("out/train/16/part-00000-of-00004.arrow", shard[:-1] + bytes([shard[-1] ^ 1]))
    bucket.client.delete_object(Bucket=bucket.name, Key="out/documents/part-00001-of-00004.arrow")
    bucket.put("out/train/32/more.arrow", b"x")
    capsys.readouterr()
    assert verify.main([bucket.address("out"), *bucket.options]) == 2
    said = capsys.readouterr().err
    assert "corrupt: train/16/part-00000-of-00004.arrow: sha256" in said
    assert "missing: documents/part-00001-of-00004.arrow: run the build again" in said
    assert "extra: train/32/more.arrow: not in the manifest" in said


def test_a_parsed_corpus(
    build: Build, bucket, inputs: Path, local: dict[str, bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Parsed into the bucket, and built from there: the same shards, and the same corpus as on a disk."""
    place = bucket.address("in")
    bucket.put_folder(inputs, "in")
    raw, rest = arguments(place, bucket.address("out"))[:10], arguments(place, bucket.address("out"))[10:]
    split = ("--split-bytes", "9000")
    assert corpus.run([*raw, "--output", bucket.address("corpus"), *split, *bucket.options]) == 0
    assert corpus.run([*raw, "--output", bucket.address("corpus"), *split, *bucket.options]) == 0
    small = [word for word in SMALL if word not in split]
    assert run(["--corpus", bucket.address("corpus"), *rest, *small, *bucket.options]) == 0
    shards = {name: content for name, content in remote(bucket).items() if name.startswith(("train/", "documents/"))}
    assert shards == {name: local[name] for name in shards}
    assert len(shards) == 12
    name = next(name for name in bucket.names() if name.startswith("corpus/documents/") and name.endswith(".arrow"))
    bucket.client.delete_object(Bucket=bucket.name, Key=name)
    assert run(["--corpus", bucket.address("corpus"), *rest[:-1], bucket.address("2"), *small, *bucket.options]) == 2


def test_the_passes_before_a_build(inputs: Path, bucket, tmp_path: Path) -> None:
    """Near-duplicates of remote inputs; evaluation data in remote inputs, with a remote report."""
    bucket.put_folder(inputs, "in")
    for name, place, given in (("here", str(inputs), ()), ("there", bucket.address("in"), bucket.options)):
        words = ["--jsonlines", f"{place}/rows/*", "--books", f"{place}/books", "--split-bytes", "9000", *given]
        assert near_duplicates.run([*words, "--output", str(tmp_path / f"near-{name}")]) == 0
        output = str(tmp_path / "report") if name == "here" else bucket.address("report")
        words += ["--sentences", f"{place}/lines/*", "--decontamination.files", f"{place}/eval/*/dev.tsv"]
        assert contamination.run([*words, "--output", output]) == 0
    drops = [(tmp_path / f"near-{name}" / "drop.arrow").read_bytes() for name in ("here", "there")]
    assert drops[0] == drops[1]
    found = remote(bucket, "report")
    assert found["contaminated.jsonl"] == (tmp_path / "report" / "contaminated.jsonl").read_bytes() != b""
    assert found["report.json"] == (tmp_path / "report" / "report.json").read_bytes()


def test_a_vocabulary(inputs: Path, bucket, tmp_path: Path) -> None:
    bucket.put_folder(inputs, "in")
    small = ("--vocabulary-size", "200")
    assert vocabulary.run(["--sentences", f"{inputs}/lines/*", "--output", str(tmp_path / "v"), *small]) == 0
    place = bucket.address("in")
    given = ["--sentences", f"{place}/lines/*", "--output", bucket.address("v"), *small, *bucket.options]
    assert vocabulary.run(given) == 0
    here = {path.name: path.read_bytes() for path in (tmp_path / "v").iterdir() if path.name != "vocabulary.lock"}
    there = remote(bucket, "v")
    assert {name: there[name] for name in there if name != "vocabulary.json"} == {
        name: here[name] for name in here if name != "vocabulary.json"
    }
