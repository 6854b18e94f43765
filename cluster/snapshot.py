"""A copy of the project's code, so that a job runs what was there when it was submitted, whatever is edited since.

    python -m cluster.snapshot FOLDER     writes FOLDER/code-HASH/ and prints its path

The copy holds the code of the four stages and of their pages and nothing else; HASH is that of its content, so the same
code is copied once. It appears complete or not at all. A job takes its code from there when CODE_FOLDER names it: first
on PYTHONPATH, it goes before the checkout that is installed.
"""

import hashlib
import os
import shutil
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from cluster.errors import ClusterError

ROOT = Path(__file__).resolve().parent.parent
"""Where the code of this project lies."""
PACKAGES = ("pages", "preprocessing", "pretraining", "finetuning", "cluster")
SUFFIXES = frozenset({".py", ".toml", ".json", ".html", ".css", ".md", ".sh", ".sbatch"})
NAMES = frozenset({"Dockerfile", "py.typed"})
_HASH_DIGITS = 12
_STALE_SECONDS = 3600.0  # a copy takes seconds; what is unfinished for so long was killed


def take_snapshot(folder: Path, root: Path = ROOT) -> Path:
    """Copies the code below `root` (default: this project) into `folder`; the absolute path of the copy.

    Raises `ClusterError` where nothing can be written, or where an earlier copy of the same code was changed since.
    """
    code = dict(_read(root))
    digest = _digest(code)
    target = folder.absolute() / f"code-{digest}"
    try:
        if not target.is_dir():
            _write(code, target)
        elif _digest(dict(_read(target))) != digest:
            raise ClusterError(
                f"{target} is no longer what its name says: a file in it was changed; remove that folder when no job "
                "uses it, and run the same command again"
            )
    except OSError as error:
        raise ClusterError(f"no copy of the code in {folder}: {error.strerror or error}; mend that") from error
    return target


def _read(root: Path) -> Iterator[tuple[str, bytes]]:
    """Name relative to `root` and content of each file of code, by name."""
    for package in PACKAGES:
        for path in sorted((root / package).rglob("*")):
            known = path.suffix in SUFFIXES or path.name in NAMES
            if known and "__pycache__" not in path.parts and path.is_file():
                yield path.relative_to(root).as_posix(), path.read_bytes()


def _digest(code: Mapping[str, bytes]) -> str:
    digest = hashlib.sha256()
    for name, content in sorted(code.items()):
        digest.update(f"{len(name.encode())} {name} {len(content)} ".encode())
        digest.update(content)
    return digest.hexdigest()[:_HASH_DIGITS]


def _write(code: Mapping[str, bytes], target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    for leftover in target.parent.glob(".code-*.tmp-*"):
        if time.time() - leftover.stat().st_mtime > _STALE_SECONDS:
            shutil.rmtree(leftover, ignore_errors=True)
    building = target.with_name(f".{target.name}.tmp-{os.uname().nodename}-{os.getpid()}-{time.monotonic_ns()}")
    try:
        for name, content in code.items():
            path = building / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(content)
        try:
            building.rename(target)
        except OSError:
            if not target.is_dir():  # otherwise another process was faster, with the same code
                raise
    finally:
        shutil.rmtree(building, ignore_errors=True)


def main(argv: Sequence[str] | None = None) -> int:
    """Command line; returns the exit code."""
    from preprocessing.arguments import OptionParser

    text = "Copies the project's code into a folder named after its hash, and prints where."
    parser = OptionParser("python -m cluster.snapshot", text, ClusterError)
    parser.add_argument("folder", type=Path, help="where the copy goes: FOLDER/code-HASH")
    try:
        print(take_snapshot(parser.parse_args(argv).folder))
    except ClusterError as error:
        print(f"snapshot: {error}", file=sys.stderr)
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main())
