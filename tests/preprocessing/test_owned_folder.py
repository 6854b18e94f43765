"""Output folders: taken when empty or our own, and only what we named ourselves is removed."""

from collections.abc import Callable
from pathlib import Path

import pytest

from preprocessing import near_duplicates, vocabulary
from preprocessing.errors import PreprocessingError
from preprocessing.owned_folder import remove_own, require_own
from preprocessing.pipeline import run
from preprocessing.storage import RemotePath, file_systems

FOREIGN = {
    "a note": "notes.txt",
    "something in a folder named like ours": "intermediate/results.csv",
    "a temporary name that is not ours": "other/notes.tmp-2024",
    "a shard without a build": "train/128/part-00000-of-00001.arrow",
    "a hidden file": ".gitignore",
}


@pytest.mark.parametrize("name", FOREIGN.values(), ids=FOREIGN)
@pytest.mark.parametrize(
    "command", [run, vocabulary.run, near_duplicates.run], ids=["build", "vocabulary", "near-duplicates"]
)
def test_a_folder_of_somebody_else_is_refused_and_left_as_it_is(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], name: str, command: Callable[[list[str]], int]
) -> None:
    (tmp_path / "text").mkdir()
    (tmp_path / "text" / "a.txt").write_text(
        "One sentence is here.\nAnother one follows it.\n\nA third one.\nLast one.\n"
    )
    (tmp_path / "vocab.txt").write_text("[PAD]\n[UNK]\n[CLS]\n[SEP]\n[MASK]\none\n")
    theirs = tmp_path / "out" / name
    theirs.parent.mkdir(parents=True)
    theirs.write_text("mine")
    options = ["--sentences", str(tmp_path / "text" / "*.txt"), "--output", str(tmp_path / "out")]
    if command is run:
        options += ["--vocab", str(tmp_path / "vocab.txt")]
    assert command(options) == 2
    said = capsys.readouterr().err
    assert "is not empty and no" in said
    assert f"(it holds {Path(name).parts[0]})" in said
    assert [path for path in (tmp_path / "out").rglob("*") if path.is_file()] == [theirs]


def test_whose_a_folder_is(tmp_path: Path) -> None:
    folder = tmp_path / "out"
    require_own(folder, "build.json", "other.lock")
    folder.mkdir()
    require_own(folder, "build.json", "other.lock")
    for name in ("build.json.tmp-12-345", "build.lock"):  # of a start that was killed before its marker was written
        (folder / name).touch()
    require_own(folder, "build.json", "build.lock")
    with pytest.raises(PreprocessingError, match=r"\(it holds build\.lock\)"):
        require_own(folder, "build.json", "other.lock")
    for number in range(5):
        (folder / f"n{number}").touch()
    with pytest.raises(PreprocessingError, match=r"it holds n0, n1, n2 and 2 more\); give a new"):
        require_own(folder, "build.json", "build.lock")
    (folder / "build.json").touch()
    require_own(folder, "build.json", "other.lock")


def test_only_whole_names_are_removed(tmp_path: Path) -> None:
    kept = ["part-1.arrow.bak", "xpart-1.arrow", "notes.tmp-1-2", "part-1.arrow.tmp-2024", "part-a.arrow"]
    for name in [*kept, "part-1.arrow", "part-1.arrow.tmp-1-2"]:
        (tmp_path / name).touch()
    (tmp_path / "part-2.arrow").mkdir()
    remove_own(tmp_path, r"part-\d\.arrow", temporary_only=True)
    assert (tmp_path / "part-1.arrow").exists()
    assert not (tmp_path / "part-1.arrow.tmp-1-2").exists()
    remove_own(tmp_path, r"part-\d\.arrow")
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted([*kept, "part-2.arrow"])
    remove_own(tmp_path / "nowhere", ".*")


def test_files_of_a_remote_folder_go_in_few_requests(bucket, monkeypatch: pytest.MonkeyPatch) -> None:
    """A build leaves one for each split and bucket: asked for one by one they took minutes at the end."""
    for number in range(30):
        bucket.put(f"out/part-{number}.json", b"1")
    kept = ["out/note.txt", "out/part-1.json/below.json", "out/sub/part-1.json", "out-side/part-1.json"]
    for name in kept:
        bucket.put(name, b"1")
    calls = []
    delete = file_systems.delete_listed
    monkeypatch.setattr(file_systems, "delete_listed", lambda files: calls.append(len(files)) or delete(files))
    monkeypatch.setattr(file_systems, "status_of", lambda address: pytest.fail("one by one"))
    remove_own(RemotePath(bucket.address("out")), r"part-\d+\.json")
    assert bucket.names() == sorted(kept)
    assert calls == [30]
    remove_own(RemotePath(bucket.address("nothing")), ".*")
