"""The whole build on small inputs, in this process but where the point is another one."""

import json
import os
import re
import shutil
import subprocess
import sys
import time
import tomllib
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import numpy as np
import psutil
import pytest

from preprocessing import folder_lock
from preprocessing.build import folder as build_folder
from preprocessing.build import gather, graph, partitions
from preprocessing.build.references import read_sidecar
from preprocessing.documents.drop_lists import document_key, write_drop_list
from preprocessing.jobs import runners, steps
from preprocessing.pipeline import run
from preprocessing.shards.reader import ShardSet
from preprocessing.shards.report import write_report
from preprocessing.sources.options import InputOptions
from preprocessing.sources.planning import plan_splits
from preprocessing.sources.stored_stream import StoredStream
from preprocessing.storage import file_systems
from preprocessing.tokens.tokenizer import SPECIAL_TOKENS

RECIPES = sorted((Path(__file__).parents[2] / "preprocessing" / "recipes").glob("*.toml"))
WORDS = [f"word{index}" for index in range(80)]
SMALL = ("--sequence-lengths", "16,32", "--heldout-fraction", "0.1", "--split-bytes", "4096", "--bucket-bytes", "8192")


@pytest.fixture(scope="module")
def inputs(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """`text/*.txt` in the layout of a sentence a line, three files with a duplicate document, and a vocabulary."""
    folder = tmp_path_factory.mktemp("inputs")
    (folder / "text").mkdir()
    rng = np.random.default_rng(11)
    for name in "abc":
        documents = []
        for _ in range(60):
            lines = [" ".join(rng.choice(WORDS, rng.integers(4, 15))) for _ in range(rng.integers(2, 9))]
            documents.append("\n".join(lines) + "\n")
        if name == "c":
            documents.append((folder / "text" / "a.txt").read_text().split("\n\n")[5] + "\n")
        (folder / "text" / f"{name}.txt").write_text("\n".join(documents))
    (folder / "vocab.txt").write_text("".join(f"{piece}\n" for piece in [*SPECIAL_TOKENS, *WORDS]))
    return folder


Build = Callable[..., int]


@pytest.fixture
def no_pictures(monkeypatch: pytest.MonkeyPatch) -> None:
    """Most of the time of a build this small would be spent on drawing its report."""
    monkeypatch.setattr(build_folder, "write_report", lambda manifest, folder: None)


@pytest.fixture
def build_shards(inputs: Path, tmp_path: Path, no_pictures: None) -> Build:
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
        return run([*source, *vocabulary, "--output", str(output or tmp_path / "shards"), *SMALL, *options])

    return call


def refused(capsys: pytest.CaptureFixture[str], code: int) -> str:
    """The one sentence that a refused build prints."""
    printed = capsys.readouterr().err.strip()
    assert code == 2
    assert len(printed.splitlines()) == 1, printed
    assert "Traceback" not in printed
    return printed


def content(folder: Path) -> dict[str, bytes]:
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


def test_text_becomes_shards(
    build_shards: Build, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(build_folder, "write_report", write_report)
    assert build_shards() == 0
    shards = ShardSet.open(tmp_path / "shards")
    manifest = shards.manifest
    assert manifest.fingerprint in capsys.readouterr().out
    assert manifest.buckets > 1
    assert len(shards.records("train", 16)) == manifest.buckets
    counters = manifest.counters
    assert (counters["documents_in"], counters["documents_out"], counters["dropped.exact_duplicate"]) == (181, 180, 1)
    assert sum(record.rows for record in manifest.documents) == 180
    assert sum(record.splits for record in manifest.inputs) > 3
    assert {record.file for record in manifest.inputs} == {"a.txt", "b.txt", "c.txt"}
    assert set(manifest.statistics) == {"train/16", "train/32", "heldout/16", "heldout/32"}
    for record in manifest.shards:
        assert shards.read(record).rows == record.rows
    assert sorted(path.name for path in (tmp_path / "shards").iterdir()) == [
        "build.json",
        "build.lock",
        "documents",
        "duplicates",
        "heldout",
        "inputs.feather",
        "manifest",
        "manifest.json",
        "report.html",
        "report.json",
        "tokenizer",
        "train",
    ]


def test_output_does_not_depend_on_where_input_or_output_lie_or_how_it_is_cut(
    build_shards: Build, inputs: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert build_shards(output=tmp_path / "one") == 0
    shutil.copytree(inputs, tmp_path / "elsewhere")
    monkeypatch.chdir(tmp_path)
    moved = ("--sentences", "elsewhere/text/*.txt", "--vocab", "elsewhere/vocab.txt", "--split-bytes", "100000")
    assert build_shards(*moved, output=Path("two")) == 0
    one, two = content(tmp_path / "one"), content(tmp_path / "two")
    assert list(one) == list(two)
    different = {name for name in one if name.endswith(".arrow") and one[name] != two[name]}
    assert different == {"manifest/inputs.arrow"}  # how often the inputs were cut


def test_a_bundle_that_runs_twice_changes_nothing(build_shards: Build, tmp_path: Path) -> None:
    assert build_shards(output=tmp_path / "one") == 0
    assert build_shards("--direct_runner_bundle_repeat=1", "--runner=FnApiRunner", output=tmp_path / "two") == 0
    assert content(tmp_path / "one") == content(tmp_path / "two")


@pytest.mark.slow
def test_two_processes_give_the_same_bytes_as_one(build_shards: Build, tmp_path: Path) -> None:
    assert build_shards("--workers", "1", output=tmp_path / "one") == 0
    assert build_shards("--workers", "2", output=tmp_path / "two") == 0
    assert content(tmp_path / "one") == content(tmp_path / "two")


def test_a_complete_build_is_left_alone(
    build_shards: Build, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert build_shards("--keep-intermediate") == 0
    assert (tmp_path / "shards" / "intermediate").is_dir()
    times = {path: path.stat().st_mtime_ns for path in (tmp_path / "shards" / "train").rglob("*")}
    capsys.readouterr()
    assert build_shards() == 0
    assert "nothing to do" in capsys.readouterr().out
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "shards" / "train").rglob("*")} == times
    assert not (tmp_path / "shards" / "intermediate").exists()


def test_a_build_goes_on_where_it_was_stopped(build_shards: Build, tmp_path: Path) -> None:
    assert build_shards("--keep-intermediate") == 0
    whole = content(tmp_path / "shards")
    shards = tmp_path / "shards"
    kept, lost, *_ = sorted((shards / "train" / "16").iterdir())
    (shards / "manifest.json").unlink()
    lost.unlink()
    max((shards / "intermediate").glob("bucket-*.json")).unlink()
    next((shards / "intermediate").glob("split-*.json")).unlink()
    (shards / "train" / "16" / f"{lost.name}.tmp-1-1").write_text("left by a killed worker")
    before = kept.stat().st_mtime_ns
    assert build_shards("--keep-intermediate") == 0
    assert content(shards) == whole
    assert kept.stat().st_mtime_ns == before


def test_a_shard_that_is_gone_is_built_again(build_shards: Build, tmp_path: Path) -> None:
    assert build_shards() == 0
    whole = content(tmp_path / "shards")
    next((tmp_path / "shards" / "heldout" / "32").iterdir()).unlink()
    assert build_shards() == 0
    assert content(tmp_path / "shards") == whole


def test_a_folder_of_another_build_is_refused(
    build_shards: Build, inputs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert build_shards() == 0
    whole = content(tmp_path / "shards")
    message = refused(capsys, build_shards("--seed", "3", "--whole-word-masking"))
    assert "another configuration" in message
    assert "examples.seed: 12345 → 3" in message
    message = refused(capsys, build_shards("--sentences", str(inputs / "text" / "[ab].txt"), "--bucket-bytes", "6000"))
    assert "other inputs" in message or "buckets" in message
    (tmp_path / "shards" / "manifest.json").unlink()
    assert "another configuration" in refused(capsys, build_shards("--seed", "3"))
    whole.pop("manifest.json")
    assert content(tmp_path / "shards") == whole


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--seeed", "3"), "did you mean --seed"),
        (("--sequence-lengths", "512,128"), "ascending"),
        (("--runner", "DirectRunner"), "--runner DirectRunner is not one of"),
        (("--runner", "nowhere.at.all.Runner"), "cannot be imported"),
        (("--workers", "0"), "at least 1"),
        (("--vocab", "nowhere.txt"), "nowhere.txt does not exist"),
        (("--word-segmenter", "nowhere:cut", "--whole-word-masking"), "--word-segmenter"),
        (("--sentences", "nowhere/*.txt"), "matches no file"),
        (("--cleaning.minimum-characters", "100000"), "No document is left of 181"),
        (("--minimum-fill", "0.99"), "not fit to train on"),
    ],
)
def test_what_cannot_be_is_refused_in_one_sentence(
    build_shards: Build, tmp_path: Path, capsys: pytest.CaptureFixture[str], options: tuple[str, ...], message: str
) -> None:
    assert message in refused(capsys, build_shards(*options))
    assert not (tmp_path / "shards" / "manifest.json").exists()


def test_a_vocabulary_without_mask_is_refused(
    build_shards: Build, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "vocab.txt").write_text("[PAD]\n[UNK]\n[CLS]\n[SEP]\nword\n")
    assert "lacks [MASK]" in refused(capsys, build_shards("--vocab", str(tmp_path / "vocab.txt")))


@pytest.mark.parametrize(("objective", "code"), [("next-sentence", 2), ("sentence-order", 0), ("none", 0)])
def test_a_corpus_of_a_single_document(
    build_shards: Build, tmp_path: Path, capsys: pytest.CaptureFixture[str], objective: str, code: int
) -> None:
    text = tmp_path / "one.txt"
    text.write_text("".join(f"{' '.join(WORDS[n : n + 9])}\n" for n in range(40)))
    options = ("--sentences", str(text), "--objective", objective, "--heldout-fraction", "0")
    assert build_shards(*options) == code
    if code:
        assert "single document" in refused(capsys, code)


def test_an_output_below_a_file_is_refused(
    build_shards: Build, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").write_text("")
    assert "is a file, not a folder" in refused(capsys, build_shards(output=tmp_path / "file" / "shards"))


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_an_output_that_may_not_be_written_is_refused(
    build_shards: Build, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "locked").mkdir(mode=0o500)
    assert "permission is denied" in refused(capsys, build_shards(output=tmp_path / "locked" / "shards"))


def test_a_full_disk_stops_with_one_sentence_and_loses_nothing(
    build_shards: Build, inputs: Path, tmp_path: Path
) -> None:
    """In a process whose files may not grow past 12 kB: smaller files are written and kept."""
    command = (
        "import resource, signal, sys; signal.signal(signal.SIGXFSZ, signal.SIG_IGN); "
        "resource.setrlimit(resource.RLIMIT_FSIZE, (12000, 12000)); "
        "from preprocessing.pipeline import run; sys.exit(run(sys.argv[1:]))"
    )
    arguments = ["--sentences", str(inputs / "text" / "*.txt"), "--vocab", str(inputs / "vocab.txt"), *SMALL]
    done = subprocess.run(
        [sys.executable, "-c", command, *arguments, "--output", str(tmp_path / "shards")],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"},
    )
    assert done.returncode == 2
    assert "Traceback" not in done.stderr
    assert "Cannot write" in done.stderr.splitlines()[-1]
    assert not (tmp_path / "shards" / "manifest.json").exists()
    assert list((tmp_path / "shards").glob("**/*.tmp-*")) == []
    assert build_shards() == 0
    assert build_shards(output=tmp_path / "other") == 0
    assert content(tmp_path / "shards") == content(tmp_path / "other")


def test_a_worker_s_failure_stops_the_build_and_keeps_what_is_done(
    build_shards: Build, inputs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = tmp_path / "text"
    shutil.copytree(inputs / "text", text)
    with (text / "d.txt").open("w") as file:
        file.write("A line that is too long . " * 1000)
    options = ("--sentences", str(text / "*.txt"), "--limits.line-bytes", "10000")
    assert "--limits.line-bytes" in refused(capsys, build_shards(*options))
    intermediate = tmp_path / "shards" / "intermediate"
    assert len(list(intermediate.glob("split-*.json"))) > 3
    assert list(intermediate.glob("bucket-*")) == [], "no bucket is built without all of its documents"
    assert "--limits.line-bytes" in refused(capsys, build_shards(*options)), "nor by the next run"
    (text / "d.txt").unlink()
    shutil.rmtree(tmp_path / "shards")
    assert build_shards(*options) == 0


def test_all_bad_files_are_named_and_nothing_new_is_begun(
    build_shards: Build, inputs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    text = tmp_path / "text"
    text.mkdir()
    for name in ("1.txt", "3.txt", "5.txt"):
        (text / name).write_text("A line that is too long . " * 20)
    for name in ("2.txt", "4.txt"):
        (text / name).write_text("A line.\nAnother one.\n")
    for number in range(6, 40):
        shutil.copy(inputs / "text" / "a.txt", text / f"z{number:02d}.txt")
    options = ("--sentences", str(text / "*.txt"), "--limits.line-bytes", "200")
    assert build_shards(*options) == 2
    lines = capsys.readouterr().err.splitlines()
    assert lines[0] == "preprocessing: 3 faults:"
    assert [re.search(r"\d\.txt", line)[0] for line in lines[1:]] == ["1.txt", "3.txt", "5.txt"]  # type: ignore[index]
    intermediate = tmp_path / "shards" / "intermediate"
    splits = len(plan_splits(InputOptions(sentences=(str(text / "*.txt"),)), 4096))
    assert len(list(intermediate.glob("split-*.json"))) < splits / 2, "the rest was left undone"
    for name in ("1.txt", "3.txt", "5.txt"):
        (text / name).unlink()
    shutil.rmtree(tmp_path / "shards")
    assert build_shards(*options, "--bucket-bytes", "1000000") == 0


def test_trouble_that_passes_is_tried_again(
    build_shards: Build, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A file server's hiccup is no bad file: it is left to whoever tries again, and not counted as one either."""
    monkeypatch.setattr(runners, "PAUSE_SECONDS", 0.0)
    read, failures = (
        StoredStream._read_stored,
        [OSError(116, "Stale file handle"), OSError(110, "Connection timed out")],
    )

    def shaky(self: StoredStream, size: int | None = None) -> bytes:
        if failures:
            raise failures.pop()
        return read(self, size)

    monkeypatch.setattr(StoredStream, "_read_stored", shaky)
    assert build_shards("--skip-bad-files", output=tmp_path / "one") == 0
    said = capsys.readouterr().err
    assert "Stale file handle" in said
    assert "Trying again (3 of 3)" in said
    assert build_shards(output=tmp_path / "two") == 0
    assert ShardSet.open(tmp_path / "one").fingerprint == ShardSet.open(tmp_path / "two").fingerprint
    failures += [OSError(116, "Stale file handle")] * 9
    assert build_shards(output=tmp_path / "three") == 75
    assert len(failures) == 9 - runners.ATTEMPTS


def test_only_one_build_writes_into_a_folder(
    build_shards: Build, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(folder_lock, "WAIT_SECONDS", 0.0)
    holder = "import sys, time; from pathlib import Path; from preprocessing.folder_lock import FolderLock\n"
    holder += "with FolderLock(Path(sys.argv[1]), 'build.lock', ''): print('held', flush=True); time.sleep(600)"
    command = [sys.executable, "-c", holder, str(tmp_path / "shards")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as other:
        assert other.stdout is not None
        other.stdout.readline()
        code = build_shards()
        other.kill()
    said = capsys.readouterr().err
    assert code == 2
    assert f"is in use by process {other.pid} on" in said
    assert "give another --output" in said
    assert build_shards() == 0


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (("--books.document", "chapter"), "--books.document does nothing without --books"),
        (("--wikitext.accept-truncated",), "--wikitext.accept-truncated does nothing without --wikipedia"),
        (("--decontamination.action", "drop"), "--decontamination.action does nothing without --decontamination.files"),
        (("--text-field", "body"), "--records.text-field does nothing without --jsonlines or --parquet or --dataset"),
        (("--dataset-split", "test"), "--dataset-split does nothing without --dataset"),
    ],
)
def test_options_that_do_nothing_say_so(
    build_shards: Build, capsys: pytest.CaptureFixture[str], options: tuple[str, ...], sentence: str
) -> None:
    build_shards(*options, "--vocab", "nowhere.txt")
    assert f"preprocessing: {sentence}." in capsys.readouterr().err.splitlines()


@pytest.fixture
def dump(tmp_path: Path) -> str:
    """A dump in French with templates that the tables know, and one that they do not."""
    page = "<page><title>P</title><ns>0</ns><id>{0}</id><revision><id>1</id><text>{1}</text></revision></page>"
    text = "word1 word2 {{nb|word3}} {{inconnu|word4}} word5 word6 word7. word8 word9 word10 word11 word12 word13."
    pages = "".join(page.format(number, text.replace("word1 ", f"word{number + 20} ")) for number in range(1, 40))
    (tmp_path / "dump.xml").write_text(f'<mediawiki xml:lang="fr">{pages}</mediawiki>')
    return str(tmp_path / "dump.xml")


def test_a_map_says_what_unknown_templates_show(
    inputs: Path, tmp_path: Path, dump: str, no_pictures: None, capsys: pytest.CaptureFixture[str]
) -> None:
    def build(name: str, *options: str) -> tuple[Path, str]:
        folder = tmp_path / name
        words = ["--wikipedia", dump, "--vocab", str(inputs / "vocab.txt"), "--output", str(folder), *SMALL, *options]
        assert run(words) == 0
        return folder, capsys.readouterr().err

    (tmp_path / "map.toml").write_text('"inconnu" = "first"\n')
    plain, said = build("plain")
    assert "dump.xml says that its language is fr, and --language is en: templates are read as in fr" in said
    assert len(said.splitlines()) == 1
    mapped, said = build("mapped", "--language", "fr", "--template-map", str(tmp_path / "map.toml"))
    assert said == ""
    manifests = [ShardSet.open(folder).manifest for folder in (plain, mapped)]
    assert [manifest.corpus.tokens_by_source["wikipedia"] for manifest in manifests] == [39 * 14, 39 * 15]
    tallies = [manifest.tally for manifest in manifests]
    assert [tally["lost_templates"].get("inconnu", 0) for tally in tallies] == [39 * len("{{inconnu|word4}}"), 0]
    assert tallies[0]["inline_templates"] == {"inconnu": 39 * len("{{inconnu|word4}}")}
    assert tallies[0]["template_places"]["inconnu"][0] == "dump.xml#1"
    assert tallies[0]["counters"]["wikipedia.articles_in_another_language"] == 39
    assert "wikipedia.articles_in_another_language" not in tallies[1]["counters"]


def test_a_map_that_changed_is_another_build(
    inputs: Path, tmp_path: Path, dump: str, no_pictures: None, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "map.toml"
    words = ["--wikipedia", dump, "--vocab", str(inputs / "vocab.txt"), "--language", "fr", *SMALL]
    words += ["--output", str(tmp_path / "shards"), "--template-map", str(path)]
    path.write_text('"inconnu" = "first"\n')
    assert run(words) == 0
    path.write_text('"inconnu" = "drop"\n')
    assert "inconnu = first" in refused(capsys, run(words))
    path.write_text('"inconnu" = "frist"\n')
    printed = refused(capsys, run(words))
    assert printed.endswith("inconnu: there is no renderer 'frist'; the nearest is 'first'; mend that line.")


def test_a_drop_list_that_names_nothing_stops_the_build(
    build_shards: Build, inputs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Names depend on the pattern: a list made with another one dropped nothing, without a word."""
    keys = [document_key("sentences", "a.txt", "byte=0"), document_key("sentences", "text/a.txt", "byte=0")]
    for name, chosen in (("right", keys[:1]), ("wrong", keys[1:]), ("mixed", keys)):
        write_drop_list(tmp_path / name, "near_duplicate", chosen)
    message = refused(capsys, build_shards("--drop-lists", str(tmp_path / "right"), str(tmp_path / "wrong")))
    assert f"--drop-lists {tmp_path / 'wrong'} names 1 documents, and none of them is in the input" in message
    for name, not_found in (("right", 0), ("mixed", 1)):
        assert build_shards("--drop-lists", str(tmp_path / name), output=tmp_path / f"from-{name}") == 0
        counters = ShardSet.open(tmp_path / f"from-{name}").manifest.counters
        assert counters["dropped.near_duplicate"] == counters["drop_lists.1.documents"] == 1
        assert counters.get("drop_lists.1.not_found", 0) == not_found


def test_documents_that_are_alone_in_their_bucket_stop_the_build(
    build_shards: Build, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    message = refused(capsys, build_shards("--bucket-bytes", "1024"))
    assert "because each is alone in its bucket (raise --bucket-bytes" in message
    assert build_shards("--bucket-bytes", "1024", "--maximum-alone-share", "1") == 0
    statistics = ShardSet.open(tmp_path / "shards").manifest.statistics["train/16"]
    assert statistics.documents_alone > 0
    assert statistics.documents_without_examples >= statistics.documents_alone


@pytest.mark.parametrize("option", ["--output", "--vocab", "--drop-lists", "--decontamination.files", "--sentences"])
def test_addresses_are_no_local_names(
    build_shards: Build,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    option: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(file_systems, "_is_installed", lambda module: False)
    message = refused(capsys, build_shards(option, "gs://bucket/x"))
    assert "gs://bucket/x" in message
    assert "Apache Beam needs its extra gcp, which is not installed; pip install 'apache-beam[gcp]'." in message
    assert not (tmp_path / "gs:").exists()


def test_documents_that_a_runner_loses_fail_the_build(
    build_shards: Build, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:

    whole, every = steps.share_of, graph.references_of_bucket
    monkeypatch.setattr(steps, "share_of", lambda *arguments: whole(*arguments)[1:])
    assert "The runner delivered 0 of" in refused(capsys, build_shards())
    monkeypatch.setattr(steps, "share_of", whole)
    monkeypatch.setattr(graph, "references_of_bucket", lambda *arguments: every(*arguments)[1:])
    assert re.search(r"The runner delivered [1-9]\d* of", refused(capsys, build_shards(output=tmp_path / "other")))
    assert not (tmp_path / "shards" / "manifest.json").exists()


@pytest.fixture
def large(monkeypatch: pytest.MonkeyPatch) -> None:
    """As if every build had so many buckets that they are dealt in two steps."""
    monkeypatch.setattr(partitions, "DIRECT_BUCKETS", 2)
    monkeypatch.setattr(partitions, "PARTITIONS", 3)


def test_a_large_build_writes_the_same(
    build_shards: Build, tmp_path: Path, large: None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(gather, "GATHERED_TOKENS", 1000)
    assert build_shards("--keep-intermediate", output=tmp_path / "large") == 0
    intermediate = tmp_path / "large" / "intermediate"
    assert len(list(intermediate.glob("partition-*.arrow"))) == 3
    assert max(len(read_sidecar(path)["numbers"]) for path in intermediate.glob("partition-*.json")) > 4
    monkeypatch.setattr(partitions, "DIRECT_BUCKETS", 512)
    assert build_shards() == 0
    found = [content(tmp_path / name) for name in ("large", "shards")]
    assert {name for name in found[0] if not name.startswith("intermediate")} == set(found[1])
    assert all(found[0][name] == found[1][name] for name in found[1] if name != "build.lock")
    assert build_shards(output=tmp_path / "large") == 0
    assert not intermediate.exists()


def test_partitions_that_a_runner_loses_fail_the_build(
    build_shards: Build, large: None, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = steps.share_of
    monkeypatch.setattr(steps, "share_of", lambda *arguments: whole(*arguments)[1:])
    assert re.search(r"The runner delivered 0 of \d+ documents to partition 0", refused(capsys, build_shards()))


def test_a_large_build_goes_on_from_its_partitions(
    build_shards: Build, tmp_path: Path, large: None, capsys: pytest.CaptureFixture[str]
) -> None:
    assert build_shards("--keep-intermediate") == 0
    before = content(tmp_path / "shards")
    shards = tmp_path / "shards"
    (shards / "manifest.json").unlink()
    for path in (shards / "intermediate").glob("bucket-*.json"):
        path.unlink()
    kept, lost = sorted((shards / "intermediate").glob("partition-*.arrow"))[:2]
    time_before = kept.stat().st_mtime_ns
    lost.unlink()
    assert build_shards("--keep-intermediate") == 0
    assert content(shards) == before
    assert kept.stat().st_mtime_ns == time_before
    # A damaged one is named, and made again when it is gone.
    (shards / "manifest.json").unlink()
    for path in (shards / "intermediate").glob("bucket-*.json"):
        path.unlink()
    kept.write_bytes(b"half")
    capsys.readouterr()
    assert f"{kept.name} is missing or damaged" in refused(capsys, build_shards("--keep-intermediate"))
    kept.unlink()
    assert build_shards("--keep-intermediate") == 0
    assert content(shards) == before


def test_counters_that_do_not_balance_fail_the_build(
    build_shards: Build, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert build_shards("--keep-intermediate") == 0
    capsys.readouterr()
    (tmp_path / "shards" / "manifest.json").unlink()
    sidecar = next((tmp_path / "shards" / "intermediate").glob("split-*.json"))
    data = json.loads(sidecar.read_text())
    data["tally"]["counters"]["documents_in"] += 1
    sidecar.write_text(json.dumps(data))
    assert "do not balance" in refused(capsys, build_shards())


@pytest.mark.slow
def test_the_file_runs_as_a_script_and_as_a_module(inputs: Path, tmp_path: Path, repository: Path) -> None:
    arguments = ["--sentences", str(inputs / "text" / "a.txt"), "--vocab", str(inputs / "vocab.txt"), *SMALL]
    programs = (["-m", "preprocessing.pipeline"], ["-m", "cluster.beam", "run", "FILE"], ["FILE"])
    for number, program in enumerate(programs):
        program = [str(repository / "preprocessing" / "pipeline.py") if part == "FILE" else part for part in program]
        engine = ["--engine", "local", "--workers", "1"] if "run" in program else ["--runner=FnApiRunner"]
        command = [sys.executable, *program, *arguments, "--output", str(tmp_path / str(number)), *engine]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
    assert content(tmp_path / "0") == content(tmp_path / "1") == content(tmp_path / "2")


@pytest.mark.parametrize("recipe", RECIPES, ids=lambda path: path.stem)
def test_the_recipes_are_options_of_a_build(recipe: Path, build_shards: Build, tmp_path: Path) -> None:
    assert recipe.read_text().startswith("# ")
    assert build_shards("--config", str(recipe), "--maximum-label-imbalance", "1") == 0  # few documents a bucket
    built = ShardSet.open(tmp_path / "shards").manifest.configuration["examples"]
    for key, value in tomllib.loads(recipe.read_text()).items():
        if key not in ("sequence_lengths", "heldout_fraction"):  # the fixture names its own; an option goes first
            assert built[key] == value, key


@pytest.mark.slow
@pytest.mark.parametrize("when", ["at once", "in the middle"])
def test_a_killed_worker_of_the_local_engine(
    build_shards: Build, inputs: Path, repository: Path, tmp_path: Path, when: str
) -> None:
    """As when memory runs out. The runner itself does not try again, and hears nothing of one killed at once."""
    command = [sys.executable, "-m", "cluster.beam", "run", "preprocessing/pipeline.py", "--workers", "2", *SMALL]
    command += ["--sentences", str(inputs / "text" / "*.txt"), "--vocab", str(inputs / "vocab.txt")]
    done = tmp_path / "killed" / "intermediate"
    with (tmp_path / "said").open("w") as said:
        build = psutil.Popen([*command, "--output", str(tmp_path / "killed")], cwd=repository, stderr=said)
        killed = False
        while build.poll() is None and not killed:
            with suppress(psutil.NoSuchProcess):
                for child in build.children(recursive=True):
                    is_worker = "python" in child.name() and "local_worker" in " ".join(child.cmdline())
                    if is_worker and (when == "at once" or list(done.glob("split-*.json"))):
                        child.kill()
                        killed = True
                        break
            time.sleep(0.01)
        assert build.wait() == 0
    assert killed
    printed = (tmp_path / "said").read_text()
    assert "Trying again (2 of 3)" in printed
    assert "because memory ran out" in printed
    assert build_shards(output=tmp_path / "undisturbed") == 0
    found = [ShardSet.open(tmp_path / name).fingerprint for name in ("killed", "undisturbed")]
    assert found[0] == found[1]
