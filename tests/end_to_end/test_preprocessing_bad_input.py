"""Every kind of bad input through the real command: one clear sentence, a non-zero exit, nothing lost."""

import bz2
import itertools
import json
import os
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from cluster.beam import main as beam

PAGES = 12


@dataclass(frozen=True)
class Case:
    """What is wrong, and what the one sentence has to name. `option` is the source that reads the bad input."""

    write: Callable[[Path], object]
    option: str
    name: str
    says: tuple[str, ...]


def dump(text: str = "", head: str = "") -> bytes:
    """A dump of good pages with `text` in the middle of page 6; `head` stands before its first element."""
    start = (
        head + '<mediawiki xml:lang="en"><siteinfo><namespaces><namespace key="0" /></namespaces></siteinfo>\n'
    ).encode()
    return start + b"".join(page(n, text if n == 6 else "").encode() for n in range(1, PAGES + 1)) + b"</mediawiki>\n"


def page(number: int, text: str = "") -> str:
    body = " ".join(f"Sentence {line} of page {number} says nothing new about it." for line in range(9))
    return (
        f"<page><title>Page {number}</title><ns>0</ns><id>{number}</id><revision><id>1</id>"
        f"<text>{body} {text}</text></revision></page>\n"
    )


def truncated(path: Path) -> None:
    # Incompressible titles make the archive long enough to lose its end and keep complete pages.
    content = dump(os.urandom(200_000).hex())
    whole = bz2.compress(content[:2000]) + bz2.compress(content[2000:])
    path.write_bytes(whole[:-40_000])


BOMB = '<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;"><!ENTITY c "&b;&b;&b;&b;&b;&b;">]>'

CASES = {
    "empty file": Case(lambda p: p.write_bytes(b""), "wikipedia", "d.xml", ("d.xml", "empty")),
    "empty text file": Case(lambda p: p.write_bytes(b""), "sentences", "t.txt", ("t.txt", "empty")),
    "not a dump": Case(lambda p: p.write_text("Just some text.\n" * 99), "wikipedia", "d.xml", ("d.xml",)),
    "invalid UTF-8": Case(
        lambda p: p.write_bytes(b'{"text": "\xff\xfe\x80 broken"}\n'), "jsonlines", "r.jsonl", ("r.jsonl",)
    ),
    "not JSON": Case(lambda p: p.write_text("no json here\n"), "jsonlines", "r.jsonl", ("r.jsonl",)),
    "NUL bytes": Case(
        lambda p: p.write_bytes(b"A line.\n\x00\x00\x00\nB.\n" * 9), "sentences", "t.txt", ("t.txt", "NUL")
    ),
    "a 50 MB line": Case(lambda p: p.write_bytes(b"word " * (10 << 20)), "sentences", "t.txt", ("t.txt", "line")),
    "truncated bz2": Case(truncated, "wikipedia", "d.xml.bz2", ("d.xml.bz2", "--accept-truncated")),
    "entity bomb": Case(lambda p: p.write_bytes(dump("&c;", BOMB)), "wikipedia", "d.xml", ("d.xml",)),
    "a directory": Case(lambda p: p.mkdir(), "wikipedia", "folder.xml", ("folder.xml", "folder")),
    "a glob that matches nothing": Case(lambda p: None, "wikipedia", "*.nothing", ("*.nothing", "match")),
    "no such file": Case(lambda p: None, "books", "none.txt", ("none.txt", "no such")),
}


def lines_of(error: str) -> list[str]:
    """What the command said: nothing of Beam's own is among it."""
    return error.splitlines()


def run(arguments: list[str]) -> int:
    """The `beam` command in this process."""
    try:
        return beam(["run", "preprocessing/pipeline.py", *arguments, "--engine", "local", "--workers", "1"])
    except SystemExit as stop:
        return int(stop.code or 0)


def content_of(folder: Path) -> dict[str, bytes]:
    """Every file below a folder."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


@pytest.fixture
def build(corpus, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, repository: Path):
    """build(*inputs) → arguments of a build into tmp_path/shards."""
    monkeypatch.chdir(repository)

    def arguments(*inputs: str, output: Path = tmp_path / "shards") -> list[str]:
        common = ["--output", str(output), "--sequence-lengths", "32", "--heldout-fraction", "0"]
        vocabulary = [] if "--vocab" in inputs else ["--vocab", str(corpus.vocabulary)]
        return [*inputs, *vocabulary, *common, "--maximum-unknown-share", "1"]

    return arguments


@pytest.fixture
def good(tmp_path: Path) -> list[str]:
    """An input with nothing wrong."""
    (tmp_path / "good.xml").write_bytes(dump())
    return ["--wikipedia", str(tmp_path / "good.xml")]


@pytest.mark.parametrize("name", CASES)
def test_bad_input_is_one_clear_sentence(build, tmp_path: Path, capfd, name: str):
    case = CASES[name]
    path = tmp_path / case.name
    case.write(path)
    assert run(build(f"--{case.option}", str(path))) == 2
    (sentence,) = lines_of(capfd.readouterr().err)
    for words in case.says:
        assert words in sentence
    assert not (tmp_path / "shards" / "manifest.json").exists()


@pytest.mark.parametrize(
    ("text", "reason"),
    [("&nosuch;", "undefined entity"), ("\x00", "NUL byte"), ("@@", "invalid UTF-8")],
    ids=["undefined entity", "NUL byte", "invalid UTF-8"],
)
def test_a_malformed_page_is_rejected_with_its_reason_and_the_rest_goes_on(
    build, tmp_path: Path, text: str, reason: str
):
    path = tmp_path / "d.xml"
    path.write_bytes(dump(text).replace(b"@@", b"\xff\xfe"))
    assert run(build("--wikipedia", str(path))) == 0
    tally = json.loads((tmp_path / "shards" / "manifest.json").read_text())["tally"]
    assert tally["counters"]["documents_in"] == PAGES
    assert tally["counters"]["documents_out"] == PAGES - 1
    assert [(item["locator"], reason in item["reason"]) for item in tally["rejections"]] == [("d.xml#6", True)]


def test_a_truncated_dump_keeps_its_complete_pages_by_a_flag(build, tmp_path: Path):
    path = tmp_path / "d.xml.bz2"
    truncated(path)
    complete = bz2.BZ2Decompressor().decompress(path.read_bytes()).count(b"</page>")
    assert 0 < complete < PAGES
    assert run(build("--wikipedia", str(path))) == 2
    assert run(build("--wikipedia", str(path), "--accept-truncated")) == 0  # as the refusal advises, in the same folder
    counters = json.loads((tmp_path / "shards" / "manifest.json").read_text())["tally"]["counters"]
    assert counters["documents_out"] == complete


def test_a_bad_file_among_good_ones_can_be_skipped_and_is_counted(build, good, tmp_path: Path):
    (tmp_path / "bad.txt").write_bytes(b"\x00" * 99)
    arguments = build(*good, "--sentences", str(tmp_path / "bad.txt"))
    assert run(arguments) == 2
    assert run([*arguments, "--skip-bad-files"]) == 0
    tally = json.loads((tmp_path / "shards" / "manifest.json").read_text())["tally"]
    assert tally["counters"]["documents_out"] == PAGES
    assert any("bad.txt" in item["locator"] for item in tally["rejections"])


def test_a_vocabulary_without_mask_is_refused(corpus, build, good, tmp_path: Path, capfd):
    vocabulary = tmp_path / "vocab.txt"
    vocabulary.write_text(corpus.vocabulary.read_text().replace("[MASK]\n", ""))
    assert run(build(*good, "--vocab", str(vocabulary))) == 2
    (sentence,) = lines_of(capfd.readouterr().err)
    assert "vocab.txt lacks [MASK]" in sentence


def test_a_folder_of_another_configuration_is_refused_and_stays_as_it_was(build, good, tmp_path: Path, capfd):
    assert run(build(*good)) == 0
    before = content_of(tmp_path / "shards")
    assert run([*build(*good), "--seed", "2"]) == 2
    (sentence,) = lines_of(capfd.readouterr().err)
    assert "another configuration" in sentence
    assert "seed" in sentence
    assert content_of(tmp_path / "shards") == before
    assert run(build(*good)) == 0  # the same configuration is content with it
    assert content_of(tmp_path / "shards") == before


def test_thresholds_stop_the_build_and_its_work_is_kept(corpus, build, tmp_path: Path, capfd):
    path = tmp_path / "lines.txt"
    signs = iter(chr(0x4E00 + number) for number in range(20_000))  # none is in the vocabulary
    documents = [["".join(itertools.islice(signs, 20)) for _ in range(8)] for _ in range(40)]
    path.write_text("\n\n".join("\n".join(lines) for lines in documents))
    arguments = build("--sentences", str(path))[:-2]
    assert run(arguments) == 2
    (sentence,) = lines_of(capfd.readouterr().err)
    assert "[UNK]" in sentence
    assert "--maximum-unknown-share" in sentence
    assert not (tmp_path / "shards" / "manifest.json").exists()
    assert run([*arguments, "--maximum-unknown-share", "1"]) == 0  # limits are not part of what was built


def test_without_permission_to_write(commands, build, good, tmp_path: Path):
    parent = tmp_path / "mine"
    parent.mkdir(mode=0o555)
    command = commands.build(*build(*good, output=parent / "shards"))
    if os.geteuid() == 0:  # root may write everywhere, unless it gives that up
        if shutil.which("setpriv") is None:
            pytest.skip("root needs `setpriv` to give up its right to write everywhere")
        command = ["setpriv", "--bounding-set=-dac_override,-dac_read_search", "--inh-caps=-all", *command]
    refused = commands.run(command)
    assert refused.returncode == 2
    (sentence,) = lines_of(refused.stderr)
    assert str(parent / "shards") in sentence
    assert "permission is denied" in sentence


def test_disk_full_and_then_not(commands, build, tmp_path: Path):
    """On a file system of its own: too small, then larger, and the same command goes on."""
    unshare = ["unshare", "--map-root-user", "--mount"]
    if (
        shutil.which("unshare") is None
        or subprocess.run([*unshare, "true"], check=False, capture_output=True).returncode
    ):
        pytest.skip("`unshare` cannot make a mount namespace here")
    (tmp_path / "d.xml").write_bytes(dump(" ".join(f"More text {n}." for n in range(60_000))))
    small = tmp_path / "small"
    small.mkdir()
    command = commands.build(*build("--wikipedia", str(tmp_path / "d.xml"), output=small / "shards"))
    script = """
        mount -t tmpfs -o size=400k tmpfs "$0" || exit 9
        "$@"; echo "first: $?"
        ls "$0/shards/manifest.json" 2>/dev/null
        mount -o remount,size=64m tmpfs "$0" || exit 9
        "$@"; echo "second: $?"
        python -m preprocessing.verify "$0/shards"; echo "verify: $?"
    """
    ran = commands.run([*unshare, "sh", "-c", script, str(small), *command])
    assert ran.returncode == 0, ran.stderr
    assert "first: 2" in ran.stdout, ran.stderr
    assert "manifest.json\n" not in ran.stdout.partition("first: 2")[2].partition("second")[0]
    assert "second: 0" in ran.stdout, ran.stderr
    assert "verify: 0" in ran.stdout
    (sentence,) = lines_of(ran.stderr)
    assert "no space is left" in sentence


@pytest.mark.slow
def test_a_fault_in_a_worker_process_ends_in_the_same_sentence(commands, build, good, tmp_path: Path):
    truncated(tmp_path / "d.xml.bz2")
    pattern = ["--wikipedia", str(tmp_path / "*.xml*"), "--split-bytes", "2000"]
    failed = commands.run(commands.build(*build(*pattern), workers=2))
    assert failed.returncode == 2
    sentence = failed.stderr.splitlines()[-1]  # above it Beam's workers print what they like
    assert sentence.startswith("preprocessing: ")
    assert "d.xml.bz2 ends inside its bz2 data at byte" in sentence
