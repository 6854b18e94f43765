"""A chain of stages: complete stages are skipped, interrupted and changed ones are not, nothing is left running."""

import signal
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from cluster.errors import ClusterError
from cluster.stages import chain
from cluster.stages.chain import Stage, read_marker, run_chain
from preprocessing import folder_lock
from preprocessing.folder_lock import FolderLock


def stage(name: str, folder: Path, code: str) -> Stage:
    return Stage(name, name, (sys.executable, "-c", code), (folder / f"{name}.txt",), packages=())


def writing(folder: Path, name: str) -> Stage:
    return stage(name, folder, f"open(r'{folder / name}.txt', 'a').write('once ')")


def test_a_complete_stage_is_skipped(tmp_path: Path) -> None:
    stages = [writing(tmp_path, "first"), writing(tmp_path, "second")]
    run_chain(stages, tmp_path)
    markers = run_chain(stages, tmp_path)
    assert (tmp_path / "first.txt").read_text() == "once "
    assert markers["second"].attempts == 1


def test_a_changed_stage_starts_anew_and_so_does_what_follows(tmp_path: Path) -> None:
    first, second = writing(tmp_path, "first"), writing(tmp_path, "second")
    run_chain([first, second], tmp_path)
    changed = replace(first, command=(*first.command, "another argument"))
    markers = run_chain([changed, second], tmp_path)
    assert (tmp_path / "first.txt").read_text() == "once "
    assert (tmp_path / "second.txt").read_text() == "once "
    assert markers["second"].attempts == 1


def test_what_took_long_is_set_aside_when_the_stage_has_changed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(chain, "DEAR", 0.0)
    first = writing(tmp_path, "first")
    for argument in ("", "another", "a third"):
        run_chain([replace(first, command=(*first.command, argument))], tmp_path)
    assert [file.name for file in sorted(tmp_path.glob("first.*"))] == [
        "first.txt",
        "first.txt.before-1",
        "first.txt.before-2",
    ]
    assert (tmp_path / "first.txt").read_text() == (tmp_path / "first.txt.before-2").read_text() == "once "
    assert f"begun anew, and kept as {tmp_path / 'first.txt.before-2'}" in capsys.readouterr().err


@pytest.mark.parametrize("quiet", [False, True])
def test_a_quiet_chain_speaks_in_its_logs_alone(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], quiet: bool
) -> None:
    made = stage("made", tmp_path, f"print('said'); open(r'{tmp_path}/made.txt', 'w').close()")
    for _ in range(2):  # the second time it is complete
        run_chain([made], tmp_path, quiet=quiet)
    assert (tmp_path / "logs" / "made.log").read_text() == "said\n"
    said = capsys.readouterr()
    assert (said.out == "") == quiet
    assert said.err == ""


def test_a_lost_output_is_made_again(tmp_path: Path) -> None:
    run_chain([writing(tmp_path, "first")], tmp_path)
    (tmp_path / "first.txt").unlink()
    run_chain([writing(tmp_path, "first")], tmp_path)
    assert (tmp_path / "first.txt").read_text() == "once "


def test_a_failed_stage_names_its_log_and_keeps_what_it_has(tmp_path: Path) -> None:
    code = f"open(r'{tmp_path}/half.txt', 'a').write('x'); print('the reason'); raise SystemExit(3)"
    half = stage("half", tmp_path, code)
    with pytest.raises(ClusterError, match=r"exit code 3.*half\.log"):
        run_chain([half], tmp_path)
    assert "the reason" in (tmp_path / "logs" / "half.log").read_text()
    with pytest.raises(ClusterError):
        run_chain([half], tmp_path)
    assert (tmp_path / "half.txt").read_text() == "xx"
    marker = read_marker(tmp_path / "stages" / "half.json")
    assert marker is not None
    assert (marker.state, marker.attempts) == ("running", 2)


def test_a_stage_without_its_output_is_not_complete(tmp_path: Path) -> None:
    with pytest.raises(ClusterError, match=r"left no .*nothing\.txt"):
        run_chain([stage("nothing", tmp_path, "pass")], tmp_path)


def test_what_the_chain_did_not_make_is_never_removed(tmp_path: Path) -> None:
    """`--output .` beside a folder `shards` of one's own."""
    (tmp_path / "first.txt").write_text("mine")
    with pytest.raises(ClusterError, match=r"first\.txt is there, and no .*first\.json says that it is this"):
        run_chain([writing(tmp_path, "first")], tmp_path)
    assert (tmp_path / "first.txt").read_text() == "mine"


def test_an_output_outside_the_folder_is_never_removed(tmp_path: Path) -> None:
    outside = tmp_path / "precious.txt"
    outside.write_text("keep me")
    foreign = Stage("foreign", "foreign", (sys.executable, "-c", "pass"), (outside,), packages=())
    with pytest.raises(ClusterError, match="outside"):
        run_chain([foreign], tmp_path / "run")
    assert outside.read_text() == "keep me"


def test_interrupting_ends_every_process_and_leaves_the_stage_incomplete(
    interrupt: Callable[[str, signal.Signals], tuple[int, str]], tmp_path: Path
) -> None:
    # The stage starts a process of its own, as a launcher does its workers.
    grandchild = f"import os, time; open(r'{tmp_path}/pid', 'w').write(str(os.getpid())); time.sleep(60)"
    child = f"import subprocess, sys; subprocess.run([sys.executable, '-c', {grandchild!r}])"
    program = (
        "import sys; from pathlib import Path; from cluster.stages.chain import Stage, run_chain\n"
        f"run_chain([Stage('long', 'long', (sys.executable, '-c', {child!r}), (Path(r'{tmp_path}/out'),), ())], "
        f"Path(r'{tmp_path}'))"
    )
    assert interrupt(program, signal.SIGINT)[0] != 0
    marker = read_marker(tmp_path / "stages" / "long.json")
    assert marker is not None
    assert marker.state == "running"


def test_a_second_chain_in_the_folder_is_refused_and_removes_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With another command it would remove what the first one is making, and both would end well."""
    monkeypatch.setattr(folder_lock, "WAIT_SECONDS", 0.0)
    first = writing(tmp_path, "first")
    run_chain([first], tmp_path)
    changed = replace(first, command=(*first.command, "another argument"))
    with (
        FolderLock(tmp_path / chain.MARKERS, chain.LOCK, ""),
        pytest.raises(ClusterError, match=r"is in use by process \d+ .* or give another --output"),
    ):
        run_chain([changed], tmp_path)
    assert (tmp_path / "first.txt").read_text() == "once "
    assert run_chain([changed], tmp_path)["first"].attempts == 1
