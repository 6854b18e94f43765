"""The command lines of stages, as a user would type them, with the Python that runs this."""

import glob
import sys
from collections.abc import Sequence
from pathlib import Path

from cluster.errors import ClusterError


def module(name: str, *arguments: str | Path) -> tuple[str, ...]:
    """`python -m NAME …` with the Python that runs this."""
    return (sys.executable, "-m", name, *map(str, arguments))


def beam(*arguments: str | Path) -> tuple[str, ...]:
    """`beam run …` on this machine's cores."""
    return (command("beam"), "run", *map(str, arguments), "--engine", "local")


def pretrain(recipe: str, ranks: int, shards: Path, folder: Path, *options: str) -> tuple[str, ...]:
    """`deepspeed pretraining/main.py …` with a recipe that comes along, by its name."""
    launcher = (command("deepspeed"), "--num_gpus", str(ranks), "pretraining/main.py")
    recipe_file = f"pretraining/recipes/{recipe}.toml"
    return (*launcher, "--config", recipe_file, f"--data.shards={shards}", f"--output.folder={folder}", *options)


def command(name: str) -> str:
    """The path of a console script beside the Python that runs this."""
    return str(Path(sys.executable).parent / name)


def require_checkout() -> None:
    """Raises `ClusterError` where the working directory is not the root of a checkout, whose files commands name."""
    if not Path("pretraining/main.py").is_file() or not Path("preprocessing/pipeline.py").is_file():
        raise ClusterError(f"{Path.cwd()} is not the root of a checkout of this project; change to it and try again")


def sources(wikipedia: str | None, books: str | None) -> list[str]:
    """The options of preprocessing that name its input."""
    return [*(["--wikipedia", wikipedia] if wikipedia else []), *(["--books", books] if books else [])]


def input_files(patterns: Sequence[str | None]) -> tuple[Path, ...]:
    """Files that globs match; raises `ClusterError` where one matches none."""
    return tuple(Path(name) for pattern in patterns if pattern for name in matching(pattern))


def matching(pattern: str) -> list[str]:
    """Files that a glob matches, sorted; raises `ClusterError` when there are none."""
    found = sorted(name for name in glob.glob(pattern, recursive=True) if Path(name).is_file())
    if not found:
        raise ClusterError(f"{pattern}: matches no file; give a path or a quoted glob such as 'books/**/*.txt'")
    return found
