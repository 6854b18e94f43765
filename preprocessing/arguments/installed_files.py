"""Files that come with this project, by the names that they have in its repository, for those who have no checkout."""

from pathlib import Path

_ROOT = Path(__file__).resolve().parents[2]
_PACKAGES = frozenset({"preprocessing", "pretraining", "finetuning", "cluster"})


def that_comes_along(path: Path, root: Path = _ROOT) -> Path:
    """`path` where something is there; otherwise the file of that name that is installed, or `path` if there is none.

    `pretraining/recipes/bert-base.toml` is then found from any folder. Only relative names that begin with a package of
    this project are looked for: a name of the user's own never means a file of ours.
    """
    if not path.parts or path.parts[0] not in _PACKAGES or ".." in path.parts or path.exists():
        return path
    installed = root / path
    return installed if installed.is_file() else path
