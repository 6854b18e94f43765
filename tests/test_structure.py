"""Which folder may import which, and what every file of the repository keeps to."""

import ast
import subprocess
from pathlib import Path

import pytest

PACKAGES = ("preprocessing", "pretraining", "finetuning", "cluster")

# What a package may import from the others at any depth of its code.
ALLOWED = {
    "preprocessing": (),
    "pretraining": (
        "preprocessing.shards",
        "preprocessing.tokens.tokenizer",
        "preprocessing.errors",
        "preprocessing.atomic_file",
    ),
    "finetuning": (
        "pretraining.",
        "preprocessing.tokens.tokenizer",
        "preprocessing.arguments",
        "preprocessing.errors",
        "preprocessing.atomic_file",
    ),
    "cluster": (),
}
# What fine-tuning may know of pretraining: the model, not the training loop.
MODEL_MODULES = ("pretraining.model", "pretraining.errors", "pretraining.optimization")


def imports(file: Path, *, top_level_only: bool = False) -> set[str]:
    """Dotted names that a file imports."""
    tree = ast.parse(file.read_text(encoding="utf-8"))
    nodes = tree.body if top_level_only else list(ast.walk(tree))
    found = set()
    for node in nodes:
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module)
    return found


def files_of(repository: Path, package: str) -> list[Path]:
    return sorted((repository / package).rglob("*.py"))


@pytest.mark.parametrize("package", PACKAGES)
def test_imports_flow_one_way(repository: Path, package: str) -> None:
    for file in files_of(repository, package):
        # The cluster folder starts the others as commands: it may only import them where it uses them.
        for name in imports(file, top_level_only=package == "cluster"):
            owner = name.split(".")[0]
            if owner not in PACKAGES or owner == package:
                continue
            assert name.startswith(ALLOWED[package]), f"{file.relative_to(repository)} imports {name}"
            if package == "finetuning" and owner == "pretraining":
                assert name.startswith(MODEL_MODULES), f"{file.relative_to(repository)} imports {name}"


def test_no_file_is_named_for_nothing(repository: Path) -> None:
    vague = {"utils", "util", "helpers", "helper", "common", "misc", "manager"}
    for package in PACKAGES:
        assert not [file for file in files_of(repository, package) if file.stem in vague]


def test_nothing_names_a_machine(repository: Path) -> None:
    """No path of one machine, no host of a package registry, in any file that is tracked."""
    tracked = subprocess.run(["git", "ls-files", "-z"], cwd=repository, capture_output=True, text=True, check=False)
    if tracked.returncode != 0:
        pytest.skip("not a git checkout")
    private = ("/ho" + "me/", "/ro" + "ot/", "file" + "s.pythonhosted")
    for name in filter(None, tracked.stdout.split("\0")):
        file = repository / name
        if file.suffix in {".py", ".md", ".toml", ".txt", ".sh", ".sbatch", ".html", ""} and file.is_file():
            text = file.read_text(encoding="utf-8", errors="replace")
            assert not [path for path in private if path in text], name
