"""The recipes of images: that of Beam's workers has what preprocessing imports, in the versions of the driver; that of
everything installs the tested versions.
"""

import ast
import re
import sys
import tomllib
from pathlib import Path

REPOSITORY = Path(__file__).resolve().parent.parent
RECIPE = (REPOSITORY / "cluster" / "engines" / "Dockerfile").read_text(encoding="utf-8")
WHOLE = (REPOSITORY / "cluster" / "slurm" / "Dockerfile").read_text(encoding="utf-8")
PACKAGES = {"apache_beam": "apache-beam", "markdown_it": "markdown-it-py"}
"""What is installed for an import of another name."""
OURS = {"pages", "preprocessing"}
OF_THE_DRIVER = {"dask", "distributed"}
"""What no worker in a container imports: Dask's own workers are not of the image."""


def imported() -> set[str]:
    """The packages of others that preprocessing and its pages import, also inside functions."""
    found = set()
    for file in (file for folder in OURS for file in (REPOSITORY / folder).rglob("*.py")):
        for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Import):
                found |= {alias.name.partition(".")[0] for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and not node.level:
                found.add(str(node.module).partition(".")[0])
    return {PACKAGES.get(name, name) for name in found - OF_THE_DRIVER - OURS - set(sys.stdlib_module_names)}


def test_everything_that_is_imported_is_installed() -> None:
    installed = set(re.findall(r"^ +'?([a-z0-9-]+)(?:\[[a-z,]+\]')? \\$", RECIPE, flags=re.MULTILINE))
    assert imported() == installed


def test_beam_and_python_are_those_of_the_driver() -> None:
    constraints = (REPOSITORY / "constraints.txt").read_text(encoding="utf-8")
    beam = re.search(r"^apache-beam==(\S+)$", constraints, flags=re.MULTILINE)
    python = re.search(r'requires-python = ">=(\S+)"', (REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))
    assert beam is not None
    assert python is not None
    assert f"FROM apache/beam_python{python[1]}_sdk:{beam[1]}\n" in RECIPE


def test_every_installation_is_of_tested_versions() -> None:
    commands = re.findall(r"pip install (.+)", WHOLE)
    assert len(commands) == 5
    assert [command for command in commands if "-c /opt/bert/constraints.txt" not in command] == []


def test_both_targets_have_extras_that_there_are() -> None:
    project = tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    python = project["requires-python"].removeprefix(">=")
    assert f"FROM python:{python}-slim-bookworm AS base\n" in WHOLE
    found = dict(
        re.findall(r"^FROM torch-\w+ AS (\w+)$(?:\n.+)*?/opt/bert\[([a-z0-9,-]+)\]", WHOLE, flags=re.MULTILINE)
    )
    assert sorted(found) == ["cpu", "cuda"]
    for extras in found.values():
        assert set(extras.split(",")) <= set(project["optional-dependencies"])


def test_no_image_takes_along_what_only_the_checkout_has() -> None:
    left_out = (REPOSITORY / ".dockerignore").read_text(encoding="utf-8").splitlines()
    needed = [name for name in ("preprocessing", "pyproject.toml", "constraints.txt", "README.md") if name in left_out]
    assert needed == []
    assert {".git", ".venv*", "runs"} <= set(left_out)
