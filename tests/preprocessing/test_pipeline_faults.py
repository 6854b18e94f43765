"""What goes wrong while a build runs: nothing is lost, and nothing wrong is called complete."""

import json
import os
import re
import shutil
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

import psutil
import pytest

from preprocessing.build import graph
from preprocessing.jobs import runners, steps
from preprocessing.shards.reader import ShardSet
from preprocessing.sources.options import InputOptions
from preprocessing.sources.planning import plan_splits
from preprocessing.sources.stored_stream import StoredStream
from tests.preprocessing.small_build import SMALL, Build, content, refused


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
        file.write("A line that is too long . " * 60)  # a small file, and so one of the last
    options = ("--sentences", str(text / "*.txt"), "--limits.line-bytes", "1000")
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
        (text / name).write_text("A line that is too long . " * 20)  # the largest files, and so the first
    for name in ("2.txt", "4.txt"):
        (text / name).write_text("A line.\nAnother one.\n")
    for number in range(6, 40):
        (text / f"z{number:02d}.txt").write_text(
            f"Line {number} of a file .\nAnother {number} .\n\nA text .\n{number} more .\n"
        )
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
    shutil.copy(inputs / "text" / "a.txt", text)  # documents that are long enough
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
@pytest.mark.parametrize("when", ["at once", "in the middle"])
def test_a_killed_worker_of_the_local_engine(
    build_shards: Build, inputs: Path, repository: Path, tmp_path: Path, when: str
) -> None:
    """As when memory runs out. The runner itself does not try again, and hears nothing of one killed at once.

    The build ignores Ctrl-C, as what a script starts in the background does.
    """
    command = [sys.executable, "-m", "cluster.beam", "run", "preprocessing/pipeline.py", "--workers", "2", *SMALL]
    command += ["--sentences", str(inputs / "text" / "*.txt"), "--vocab", str(inputs / "vocab.txt")]
    done = tmp_path / "killed" / "intermediate"
    with (tmp_path / "said").open("w") as said:
        in_background = ["sh", "-c", "trap '' INT; exec \"$@\"", "sh", *command]
        build = psutil.Popen([*in_background, "--output", str(tmp_path / "killed")], cwd=repository, stderr=said)
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
