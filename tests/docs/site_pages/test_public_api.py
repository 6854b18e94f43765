from pathlib import Path

import pytest
from site_pages.public_api import ROOMS, page_of


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    for name, text in {
        "stage/room/__init__.py": '"""The map."""\nfrom stage.room.inner import f\n__all__ = ["f", "inner", "deep"]\n',
        "stage/room/inner.py": "",
        "stage/room/hidden.py": "",
        "stage/room/deep/__init__.py": '"""A map."""\n__all__ = ["layer"]\n',
        "stage/room/deep/layer.py": "",
        "stage/closed/__init__.py": '"""A map."""\n',
    }.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    return tmp_path


def test_a_page_has_what_the_door_offers(tree: Path) -> None:
    page = page_of("stage.room", tree)
    assert page.startswith("# stage.room\n\nThe map.\n")
    directives = [line for line in page.splitlines() if line.startswith(":::")]
    names = ("stage.room.f", "stage.room.inner", "stage.room.deep", "stage.room.deep.layer")
    assert directives == [f"::: {name}" for name in names]


def test_a_room_that_offers_nothing_is_refused(tree: Path) -> None:
    with pytest.raises(ValueError, match=r"stage\.closed offers nothing"):
        page_of("stage.closed", tree)


@pytest.mark.parametrize("room", ROOMS)
def test_the_rooms_are_there(room: str, repository: Path) -> None:
    assert "\n::: " in page_of(room, repository)
