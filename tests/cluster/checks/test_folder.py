"""Folders that cannot be written, are not shared, or lie on a full disk."""

from pathlib import Path

import pytest

from cluster.checks.folder import Folder, appears, faults, summary, visit, write

OUTPUT = Path("runs/x")


def found(host: str, **other: object) -> Folder:
    usual = {"free_gib": 50.0, "sees_rank_0": True, "seen_by_rank_0": True}
    return Folder.model_validate({"host": host, "rank": int(host[1:]) - 1, **usual, **other})


def test_a_shared_folder_with_room() -> None:
    nodes = [found("n1"), found("n2", free_gib=49.5)]
    assert faults(nodes, OUTPUT, 40.0) == []
    assert summary(nodes, OUTPUT) == "49.5 GiB free in runs/x, written and seen by every node"


@pytest.mark.parametrize(
    ("nodes", "sentence"),
    [
        ([found("n1", error="No space left on device"), found("n2")], "n1: runs/x cannot be written (No space left on"),
        (
            [found("n1"), found("n2", error="Permission denied")],
            "n2: runs/x cannot be written (Permission denied); mend",
        ),
        (
            [found("n1"), found("n2", sees_rank_0=False)],
            "n2: what n1 wrote to runs/x is not seen there; give a folder on",
        ),
        (
            [found("n1"), found("n2", seen_by_rank_0=False)],
            "n2: what was written to runs/x there is not seen by n1; give a folder on a file system that",
        ),
        (
            [found("n1", free_gib=3), found("n2", free_gib=2)],
            "every node: 2.0 GiB are free in runs/x and 40 needed; remove",
        ),
    ],
)
def test_what_is_wrong(nodes: list[Folder], sentence: str) -> None:
    sentences = faults(nodes, OUTPUT, 40.0)
    assert len(sentences) == 1
    assert sentences[0].startswith(sentence)


def test_a_node_writes_beside_rank_0(tmp_path: Path) -> None:
    place = tmp_path / "new" / "place"
    assert write(place, 0, make=True) == ""
    assert appears(place, 0, seconds=0)
    assert not appears(place, 1, seconds=0)
    seen = visit(Folder(host="n2", rank=1), place)
    assert (seen.sees_rank_0, seen.error) == (True, "")
    assert seen.free_gib > 0
    assert appears(place, 1, seconds=0)
    assert write(tmp_path / "none", 1) == "No such file or directory"


def test_half_a_file_has_not_appeared(tmp_path: Path) -> None:
    write(tmp_path / "place", 0, make=True)
    file = tmp_path / "place" / "rank0"
    file.write_bytes(file.read_bytes()[:-1])
    assert not appears(tmp_path / "place", 0, seconds=0)
