"""What counts as a whole checkpoint, what is kept and what goes."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from pretraining.errors import PretrainingError
from pretraining.run.checkpoint import files
from pretraining.run.checkpoint.files import Retention, damaged_file, refuse_used
from pretraining.run.checkpoint.resume import newest_complete

Save = Callable[..., Path]
FILES = ["index.json", "manifest.json", "state-00000.safetensors", "trainer.json"]


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.glob("step*"))


def test_newest_are_kept(tmp_path: Path, save_step: Save) -> None:
    for step in (2, 9, 10):
        save_step(tmp_path, step)
    assert names(tmp_path) == ["step10", "step9"]


def test_every_nth_and_the_best_stay(tmp_path: Path, save_step: Save) -> None:
    for step, loss in ((10, 3.0), (15, 1.5), (20, 1.0), (25, 2.0), (30, None), (35, float("nan")), (40, 4.0)):
        save_step(tmp_path, step, keep=1, every=30, best=True, held_out_loss=loss)
    assert names(tmp_path) == ["step20", "step30", "step40"]


@pytest.mark.parametrize(
    ("newest", "every", "best", "going"),
    [(1, 0, False, [1, 2, 3]), (2, 0, False, [1, 2]), (1, 2, False, [1, 3]), (1, 0, True, [1, 3]), (9, 0, False, [])],
)
def test_what_goes(newest: int, every: int, best: bool, going: list[int]) -> None:
    held_out = {1: 5.0, 2: 1.0, 3: None, 4: 2.0, 99: 0.1}
    held_out.pop(99) if best else None
    assert Retention(newest, every, best).doomed(4, held_out) == going


@pytest.mark.parametrize("keep", [1, 2])
def test_what_was_just_saved_is_never_pruned(tmp_path: Path, keep: int, save_step: Save) -> None:
    """Whatever else lies there: a later number does not make another run's checkpoint the newer one."""
    for step in (4900, 5000):
        (tmp_path / f"step{step}").mkdir()
    for step in (50, 100):
        save_step(tmp_path, step, keep=keep)
    assert names(tmp_path) == sorted(["step4900", "step5000", *["step50", "step100"][-keep:]])


def test_a_used_folder_is_refused(tmp_path: Path, save_step: Save) -> None:
    refuse_used(tmp_path / "none")
    save_step(tmp_path, 7)
    with pytest.raises(PretrainingError, match=r"resume is false and .* has step7; choose another output.folder"):
        refuse_used(tmp_path)


def test_what_killed_saves_left_goes_with_the_next(tmp_path: Path, save_step: Save) -> None:
    for name in ("step3.tmp", "step4.removed", "step5.damaged", "stepping.tmp"):
        (tmp_path / name / "inside").mkdir(parents=True)
    save_step(tmp_path, 6)
    assert names(tmp_path) == ["step5.damaged", "step6", "stepping.tmp"]


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("damage", ["truncate", "flip", "remove", "empty"])
def test_damage_of_any_file_is_seen(
    tmp_path: Path, save_step: Save, damage: str, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    good, bad = save_step(tmp_path, 1), save_step(tmp_path, 22)
    file = bad / name
    content = bytearray(file.read_bytes())
    if damage == "truncate":
        file.write_bytes(content[:-1])
    elif damage == "flip":
        content[len(content) // 2] ^= 4
        file.write_bytes(content)
    elif damage == "remove":
        file.unlink()
    else:
        file.write_bytes(b"")
    assert damaged_file(bad) == name
    assert newest_complete(tmp_path) == good
    assert f"step22 is damaged ({name}): it is now step22.damaged, and step1 is used" in capsys.readouterr().err
    assert (tmp_path / "latest").read_text() == "step1\n"


def test_a_manifest_that_names_no_file_is_damaged(tmp_path: Path, save_step: Save) -> None:
    """Even where its own digest is right."""
    saved = save_step(tmp_path, 1)
    files.write_manifest(saved, 1, 1, {})
    assert damaged_file(saved) == "manifest.json"


def test_it_may_be_damaged_twice(tmp_path: Path, save_step: Save) -> None:
    before = save_step(tmp_path, 1)
    for _ in range(2):
        (save_step(tmp_path, 2) / "trainer.json").unlink()
        assert newest_complete(tmp_path) == before
    assert names(tmp_path) == ["step1", "step2.damaged"]


def test_nothing_whole_is_refused(tmp_path: Path, save_step: Save) -> None:
    """Starting at step 0 without a word would empty the metrics of a long run."""
    for step in (9, 10):
        (save_step(tmp_path, step) / "manifest.json").unlink()
    with pytest.raises(PretrainingError, match=r"none of step9, step10 is whole \(step10/manifest.json .*; restore"):
        newest_complete(tmp_path)
    assert names(tmp_path) == ["step10", "step9"]


@pytest.mark.parametrize("latest", ["step3\n", "step9\n", "", "../elsewhere\n", None])
def test_latest_is_for_people(tmp_path: Path, save_step: Save, latest: str | None) -> None:
    """Whatever it says, the newest whole checkpoint is taken."""
    save_step(tmp_path, 2)
    saved = save_step(tmp_path, 3)
    (tmp_path / "latest").unlink() if latest is None else (tmp_path / "latest").write_text(latest)
    assert newest_complete(tmp_path) == saved


def test_nothing_there(tmp_path: Path) -> None:
    assert newest_complete(tmp_path / "none") is None


def test_ranks_look_at_their_own_files_only(tmp_path: Path, save_step: Save, monkeypatch: pytest.MonkeyPatch) -> None:
    """With 512 ranks there are as many files: every rank asking after each of them is a quarter million questions."""
    saved = save_step(tmp_path, 1)
    shutil.copy(saved / "state-00000.safetensors", saved / "state-00001.safetensors")
    facts = {name: files.facts(saved / name) for name in ("index.json", "trainer.json")}
    states = {f"state-0000{rank}.safetensors": files.facts(saved / f"state-0000{rank}.safetensors") for rank in (0, 1)}
    files.write_manifest(saved, 1, 2, {**facts, **states})
    looked: list[str] = []
    stat = Path.stat
    monkeypatch.setattr(Path, "stat", lambda path, **rest: (looked.append(path.name), stat(path, **rest))[1])
    assert damaged_file(saved, rank=1, ranks=2) is None
    assert looked == ["state-00001.safetensors"]
    assert damaged_file(saved, rank=0, ranks=2) is None
    (saved / "state-00001.safetensors").unlink()
    assert damaged_file(saved, rank=0, ranks=2) is None
    assert damaged_file(saved, rank=1, ranks=2) == "state-00001.safetensors"
    assert damaged_file(saved) == "state-00001.safetensors"


def test_trainer_file_is_plain_data(tmp_path: Path, save_step: Save) -> None:
    contents = json.loads((save_step(tmp_path, 3) / "trainer.json").read_text())
    assert contents["state"]["position"] == {"epoch": 1, "index": 7}
    assert contents["identity"]["ranks"] == 1


def test_a_save_that_was_killed_after_the_marker_counts(tmp_path: Path, save_step: Save) -> None:
    """Before its new name, or between the names of an older one of the same step and of the new one."""
    save_step(tmp_path, 1)
    saved = save_step(tmp_path, 2)
    saved.rename(tmp_path / "step2.tmp")
    (tmp_path / "step3.tmp").mkdir()  # not complete
    assert newest_complete(tmp_path) == saved
    assert names(tmp_path) == ["step1", "step2", "step3.tmp"]
