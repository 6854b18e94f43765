"""Which code ran: the version of this project, and the revision of its checkout where there is one."""

import subprocess
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("preprocessing", "pretraining", "finetuning", "cluster")
_GIT_SECONDS = 10.0


def code_version(root: Path = ROOT) -> dict[str, Any]:
    """`version` of the package, and `revision`: the commit of the checkout below `root`, and then `modified`, whether
    tracked code differs from it; `code-HASH` for a copy that `cluster.snapshot` made; None where neither is known.
    """
    known: dict[str, Any] = {"version": package_versions(("bert-pretraining",)).get("bert-pretraining")}
    if root.name.startswith("code-"):
        return known | {"revision": root.name}
    # A file of ours must be tracked: the checkout may be another project's, with this one installed inside it.
    if _git(root, "ls-files", "--error-unmatch", str(Path(__file__).resolve().relative_to(ROOT))) is None:
        return known | {"revision": None}
    changes = _git(root, "status", "--porcelain", "--untracked-files=no", "--", *PACKAGES)
    return known | {"revision": _git(root, "rev-parse", "HEAD"), "modified": changes != ""}


def package_versions(names: tuple[str, ...]) -> dict[str, str]:
    """The versions of those packages that are installed."""
    found = {}
    for name in names:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def _git(root: Path, *words: str) -> str | None:
    """What git says, without its last line end; None where it fails or there is none."""
    try:
        run = subprocess.run(
            ["git", "-C", str(root), *words], capture_output=True, text=True, check=False, timeout=_GIT_SECONDS
        )
    except (OSError, subprocess.SubprocessError, UnicodeDecodeError):
        return None
    return run.stdout.strip() if run.returncode == 0 else None
