"""What the documentation names is there: files, folders, modules and links; and the files that docstrings name.

Looked at is every word that begins with one of the project's top folders, in running text as well as in commands: a
path with slashes (`preprocessing/pipeline.py`, `docs/`), a module with dots (`finetuning.sweep`), or a name in a module
(`finetuning.kinds.registry.KINDS`). Outputs such as `runs/demo` begin with none of them. Whether the commands of the
pages can be run as they are written is tested in `test_documented_commands.py`.
"""

import ast
import re
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parent.parent
EXAMPLES = ("test_structure.py", "test_documentation.py")
"""Their docstrings name made-up files."""
DOCUMENTS = [REPOSITORY / "README.md", REPOSITORY / "CONTRIBUTING.md", *sorted((REPOSITORY / "docs").glob("*.md"))]
TOP_FOLDERS = ("pages", "preprocessing", "pretraining", "finetuning", "cluster", "benchmarks", "tests", "docs")
NAME = re.compile(rf"(?<![\w./-])(?:{'|'.join(TOP_FOLDERS)})(?:(?:[/.][\w*-]+)+/?|/)")
FILE = re.compile(r"`([\w./-]+\.py)`")
LINK = re.compile(r"\]\(([^)#:]+)(?:#[^)]*)?\)")


def names_in(text: str) -> list[str]:
    """What the text names of the project, without the targets of links."""
    return sorted(set(NAME.findall(LINK.sub("]", text))))


def is_there(name: str, root: Path) -> bool:
    """Whether a path (`*` stands for anything), a module, or a name at the top of a module is in the tree."""
    if "/" in name:
        found = list(root.glob(name.rstrip("/")))
        return any(path.is_dir() for path in found) if name.endswith("/") else bool(found)
    return _is_module(name, root) or _is_in_module(name, root)


def _is_module(name: str, root: Path) -> bool:
    path = root / name.replace(".", "/")
    return path.with_suffix(".py").is_file() or (path / "__init__.py").is_file()


def _is_in_module(name: str, root: Path) -> bool:
    module, _, inner = name.rpartition(".")
    path = root / module.replace(".", "/")
    files = [file for file in (path.with_suffix(".py"), path / "__init__.py") if file.is_file()]
    at_the_top = re.compile(rf"^(?:def |class )?{re.escape(inner)}\b", re.MULTILINE)
    return any(at_the_top.search(file.read_text(encoding="utf-8")) for file in files)


def missing(text: str, root: Path) -> list[str]:
    """What the text names and the tree does not have."""
    return [name for name in names_in(text) if not is_there(name, root)]


def missing_in_docstrings(source: str, files: list[str]) -> list[str]:
    """Python files in backticks, in the docstrings of `source`, that are none of `files` (or the end of one)."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef):
            found.update(FILE.findall(ast.get_docstring(node) or ""))
    return sorted(name for name in found if not any(f"/{file}".endswith(f"/{name}") for file in files))


def dead_links(text: str, folder: Path) -> list[str]:
    """Links to files that are not there; `folder` is where the text lies."""
    return [target for target in LINK.findall(text) if not (folder / target).exists()]


@pytest.mark.parametrize("document", DOCUMENTS, ids=lambda path: path.name)
def test_what_a_document_names_is_there(document: Path) -> None:
    text = document.read_text(encoding="utf-8")
    assert missing(text, REPOSITORY) == []
    assert dead_links(text, document.parent) == []


def test_what_docstrings_name_is_there() -> None:
    paths = [path for folder in TOP_FOLDERS for path in sorted((REPOSITORY / folder).rglob("*.py"))]
    files = [str(path.relative_to(REPOSITORY)) for path in paths]
    for path in paths:
        if path.name not in EXAMPLES:
            assert missing_in_docstrings(path.read_text(encoding="utf-8"), files) == [], path


def test_every_page_can_be_reached_from_the_readme() -> None:
    text = (REPOSITORY / "README.md").read_text(encoding="utf-8")
    linked = set(LINK.findall(text))
    assert [page.name for page in DOCUMENTS[1:] if str(page.relative_to(REPOSITORY)) not in linked] == []


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    for name, text in {
        "preprocessing/__init__.py": "",
        "preprocessing/pipeline.py": "LIMIT = 1\n\n\ndef run():\n    inner = 2\n",
        "preprocessing/recipes/one.toml": "",
        "docs/page.md": "",
    }.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    return tmp_path


@pytest.mark.parametrize(
    "text",
    [
        "`preprocessing/pipeline.py`, in `preprocessing/`.",
        "    beam run preprocessing/pipeline.py --output runs/demo",
        "`python -m preprocessing.pipeline` and preprocessing.pipeline.LIMIT, preprocessing.pipeline.run.",
        "`preprocessing/recipes/*.toml`",
        "[docs/page.md](docs/page.md#part)",
        "`runs/preprocessing/none.py`, `/preprocessing/none`, data/preprocessing.none, preprocessing. None",
    ],
)
def test_what_is_right_passes(text: str, tree: Path) -> None:
    assert missing(text, tree) + dead_links(text, tree) == []


@pytest.mark.parametrize(
    ("text", "name"),
    [
        ("`preprocessing/gone.py`", "preprocessing/gone.py"),
        ("beam run preprocessing/gone.py --output x", "preprocessing/gone.py"),
        ("`python -m preprocessing.gone --help`", "preprocessing.gone"),
        ("`preprocessing.pipeline.inner`", "preprocessing.pipeline.inner"),
        ("`preprocessing/pipeline.py/`", "preprocessing/pipeline.py/"),
        ("`preprocessing/recipes/*.json`", "preprocessing/recipes/*.json"),
        ("`benchmarks/`", "benchmarks/"),
        ("see docs/gone.md.", "docs/gone.md"),
    ],
)
def test_what_is_wrong_is_noticed(text: str, name: str, tree: Path) -> None:
    assert missing(text, tree) == [name]


def test_a_file_that_a_docstring_names_in_vain_is_noticed() -> None:
    source = '"""See `here.py`, `a/here.py`, `ere.py`."""\ndef f():\n    """As ``gone.py``."""\n    "`other.py`"\n'
    assert missing_in_docstrings(source, ["a/here.py"]) == ["ere.py", "gone.py"]


def test_a_dead_link_is_noticed(tree: Path) -> None:
    assert dead_links("[a](docs/page.md) [b](docs/gone.md) [c](https://example.org/docs)", tree) == ["docs/gone.md"]
