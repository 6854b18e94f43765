"""Names of the repository mean what is installed, and never go before what lies in the user's folder."""

import tomllib
from pathlib import Path

import pytest

from preprocessing.arguments.config_file import read_table
from preprocessing.arguments.installed_files import that_comes_along
from preprocessing.errors import PreprocessingError

RECIPE = Path("pretraining/recipes/bert-base.toml")


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with one file of ours; the current folder is another, which is empty."""
    (tmp_path / "site/cluster").mkdir(parents=True)
    (tmp_path / "site/cluster/one.toml").write_text("")
    (tmp_path / "site/other").mkdir()
    (tmp_path / "site/other/one.toml").write_text("")
    (tmp_path / "here").mkdir()
    monkeypatch.chdir(tmp_path / "here")
    return tmp_path / "site"


def test_a_file_that_is_installed(installed: Path) -> None:
    assert that_comes_along(Path("cluster/one.toml"), installed) == installed / "cluster/one.toml"


@pytest.mark.parametrize(
    "name",
    ["cluster/none.toml", "cluster", "other/one.toml", "one.toml", "cluster/../other/one.toml", "", "/cluster/one"],
)
def test_what_is_the_users_own_stays(installed: Path, name: str) -> None:
    assert that_comes_along(Path(name), installed) == Path(name)


def test_a_file_here_goes_before(installed: Path) -> None:
    Path("cluster").mkdir()
    Path("cluster/one.toml").write_text("")
    assert that_comes_along(Path("cluster/one.toml"), installed) == Path("cluster/one.toml")


def test_a_recipe_is_read_from_any_folder(installed: Path, repository: Path) -> None:
    for path in (RECIPE, str(RECIPE)):
        assert read_table(path, PreprocessingError) == tomllib.loads((repository / RECIPE).read_text(encoding="utf-8"))
    with pytest.raises(PreprocessingError, match=r"^--config pretraining/recipes/none.toml: there is no such file\.$"):
        read_table("pretraining/recipes/none.toml", PreprocessingError)
