"""Which tests are asked about a module."""

from pathlib import Path

import pytest

from tests.mutants.mapping import FURTHER, files_for

REPOSITORY = Path(__file__).resolve().parents[2]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    names = ("a/b/c.py", "a/b/c_d.py", "a/b/e.py", "a/f/g.py", "a/h/i.py")
    tests = ("a/b/test_c.py", "a/b/test_c_x.py", "a/b/test_c_d.py", "a/b/test_c_d_y.py", "a/b/test_c_gpu.py")
    for name in (*names, *(f"tests/{test}" for test in (*tests, "a/test_f.py", "a/test_f_whole.py"))):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    return tmp_path


@pytest.mark.parametrize(
    ("module", "tests"),
    [
        ("a/b/c.py", ("a/b/test_c.py", "a/b/test_c_x.py")),
        ("a/b/c_d.py", ("a/b/test_c_d.py", "a/b/test_c_d_y.py")),
        ("a/b/e.py", ("a/b/test_c.py", "a/b/test_c_d.py", "a/b/test_c_d_y.py", "a/b/test_c_x.py")),
        ("a/f/g.py", ("a/test_f.py", "a/test_f_whole.py")),
        ("a/h/i.py", ()),
    ],
    ids=["mirrored", "a longer neighbour", "none: those of the room", "named after the room", "none at all"],
)
def test_tests_are_found_by_their_names(module: str, tests: tuple[str, ...], root: Path) -> None:
    assert files_for(module, root) == tuple(f"tests/{test}" for test in tests)


def test_further_tests_are_asked_once(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(FURTHER, "a/b/c.py", ("tests/a/test_f.py", "tests/a/b/test_c.py"))
    assert files_for("a/b/c.py", root) == ("tests/a/b/test_c.py", "tests/a/b/test_c_x.py", "tests/a/test_f.py")
    monkeypatch.setitem(FURTHER, "a/b/e.py", ("tests/a/test_f.py",))
    assert files_for("a/b/e.py", root) == ("tests/a/test_f.py",), "instead of all of the room"


def test_what_is_listed_is_there() -> None:
    for module, tests in FURTHER.items():
        assert all((REPOSITORY / name).is_file() for name in (module, *tests)), module
