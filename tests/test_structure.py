"""The folder tree shows the road: arrows point one way, rooms have doors, tests mirror the source.

An arrow is an import, wherever it stands in a file: at the top, inside a function, or for type checkers only.
"""

import ast
import statistics
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

COMMANDS = "(commands)"
ORDER: dict[str, tuple[str, ...]] = {
    "pages": ("elements", "scales", "figure", "columns", "curves", "intervals", "rendering", COMMANDS),
    "preprocessing": (
        *("errors", "storage", "atomic_file", "folder_lock", "owned_folder", "progress", "arguments"),
        *("compiled", "tally"),
        *("languages", "wikitext", "sources", "documents", "tokens", "examples", "shards", "jobs", "build", COMMANDS),
    ),
    "pretraining": (
        *("errors", "splitmix", "rendezvous", "devices", "model_card"),
        *("model", "data", "optimization", "configuration", "planning", "run", "adaptation", COMMANDS),
    ),
    "finetuning": ("errors", "atomic_file", "tasks", "kinds", "run", "baselines", "sweeps", "reporting", COMMANDS),
    "cluster": (
        "errors",
        "snapshot",
        "process_tree",
        "checks",
        "engines",
        "stages",
        "demo",
        "reproduction",
        "chain",
        COMMANDS,
    ),
}
"""For each stage its rooms, and the files that rooms share, in the order of the road: each may import what stands
before it. Every other file on the top level is a command."""

SHARED = (
    *("preprocessing.errors", "preprocessing.atomic_file", "preprocessing.arguments"),
    *("preprocessing.folder_lock", "preprocessing.owned_folder", "preprocessing.progress"),
)
OTHER_STAGES: dict[str, tuple[str, ...]] = {
    "pages": (),
    "preprocessing": ("pages",),
    "pretraining": (
        "pages",
        *SHARED,
        "preprocessing.compiled",
        "preprocessing.examples",
        "preprocessing.tokens",
        "preprocessing.shards",
    ),
    "finetuning": (
        "pages",
        *SHARED,
        "preprocessing.tokens",
        "pretraining.errors",
        "pretraining.rendezvous",
        "pretraining.devices",
        "pretraining.model",
        "pretraining.model_card",
        "pretraining.optimization",
    ),
    "cluster": (),
}
"""What a stage may import of the others. `cluster` starts them as commands and imports them only inside functions."""

MOST_MODULES = 18
MEDIAN_LINES = 130


@dataclass(frozen=True)
class Arrow:
    """One import: `target` is a module or package of the tree, `name` what is taken from it, if anything is."""

    source: str
    target: str
    name: str | None
    at_import_time: bool


class Tree:
    """The modules below some folders of a repository, and the arrows between them."""

    def __init__(self, root: Path, stages: Sequence[str]) -> None:
        self.root = root
        files = [file for stage in stages for file in sorted((root / stage).rglob("*.py"))]
        self.files = {self._name(file): file for file in files}
        self.packages = {name for name, file in self.files.items() if file.name == "__init__.py"}
        self.arrows = [arrow for name, file in self.files.items() for arrow in self._arrows(name, file)]

    def _name(self, file: Path) -> str:
        parts = file.relative_to(self.root).with_suffix("").parts
        return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)

    def _arrows(self, source: str, file: Path) -> Iterator[Arrow]:
        tree = ast.parse(file.read_text(encoding="utf-8"))
        early = {id(node) for statement in tree.body for node in _without_functions(statement)}
        for node in ast.walk(tree):
            if isinstance(node, ast.ImportFrom) and node.module in self.files:
                for alias in node.names:
                    inner = f"{node.module}.{alias.name}"
                    target, name = (inner, None) if inner in self.files else (node.module, alias.name)
                    yield Arrow(source, target, name, id(node) in early)
            elif isinstance(node, ast.Import):
                for alias in node.names:
                    if alias.name in self.files:
                        yield Arrow(source, alias.name, None, id(node) in early)

    def offers(self, package: str) -> tuple[str, ...]:
        """The names in a package's `__all__`."""
        for node in ast.parse(self.files[package].read_text(encoding="utf-8")).body:
            if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__all__":
                return tuple(ast.literal_eval(node.value))
        return ()


def _without_functions(node: ast.AST) -> Iterator[ast.AST]:
    """A statement and what is in it, but for the bodies of functions."""
    if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
        return
    yield node
    for child in ast.iter_child_nodes(node):
        yield from _without_functions(child)


def circle_in(graph: Mapping[str, set[str]]) -> list[str]:
    """The nodes of one circle, or nothing."""
    done: set[str] = set()

    def visit(node: str, path: list[str]) -> list[str]:
        if node in path:
            return [*path[path.index(node) :], node]
        if node in done:
            return []
        for following in sorted(graph.get(node, ())):
            if found := visit(following, [*path, node]):
                return found
        done.add(node)
        return []

    return next((found for node in sorted(graph) if (found := visit(node, []))), [])


def circles(tree: Tree) -> list[str]:
    """Circles of modules, and of the files and folders that lie side by side in any folder."""
    problems = []
    graphs: dict[str, dict[str, set[str]]] = {"modules": {}}
    for arrow in tree.arrows:
        if arrow.source != arrow.target:
            graphs["modules"].setdefault(arrow.source, set()).add(arrow.target)
        source, target = arrow.source.split("."), arrow.target.split(".")
        depth = next((i for i, (a, b) in enumerate(zip(source, target, strict=False)) if a != b), None)
        if depth is not None:  # where neither holds the other, the arrow joins two neighbours in one folder
            folder = ".".join(source[:depth])
            beside = graphs.setdefault(folder, {})
            beside.setdefault(".".join(source[: depth + 1]), set()).add(".".join(target[: depth + 1]))
    for folder, graph in graphs.items():
        if found := circle_in(graph):
            problems.append(f"circle in {folder or 'the repository'}: {' -> '.join(found)}")
    return problems


def place_of(module: str) -> str:
    """Which room of its stage a module is in; COMMANDS for the other files on the top level."""
    stage, _, rest = module.partition(".")
    first = rest.split(".")[0]
    return first if first in ORDER[stage] else COMMANDS


def arrows_against_the_order(tree: Tree) -> list[str]:
    """Imports that run against the order of the road, within a stage or between stages."""
    problems = []
    for arrow in tree.arrows:
        stage, other = arrow.source.split(".")[0], arrow.target.split(".")[0]
        if stage not in ORDER:
            continue
        what = f"{arrow.source} imports {arrow.target}"
        if stage == other:
            order, from_, to = ORDER[stage], place_of(arrow.source), place_of(arrow.target)
            if order.index(from_) < order.index(to):
                problems.append(f"{what}: {to} stands behind {from_}")
            elif from_ == to == COMMANDS and arrow.source not in tree.packages and arrow.source != arrow.target:
                problems.append(f"{what}: a command imports another")
        elif stage == "cluster":
            if arrow.at_import_time:
                problems.append(f"{what} when it is imported")
        elif not f"{arrow.target}.".startswith(tuple(f"{name}." for name in OTHER_STAGES[stage])):
            problems.append(f"{what}: {stage} may not know it")
    return problems


def closed_doors(tree: Tree) -> list[str]:
    """Imports from outside a room of what its `__init__` does not name in `__all__`."""
    problems = []
    for arrow in tree.arrows:
        parts = [*arrow.target.split("."), *([arrow.name] if arrow.name else [])]
        for depth in range(2, len(parts)):  # a stage itself has no door: its commands are not imported
            room, wanted = ".".join(parts[:depth]), parts[depth]
            inside = f"{arrow.source}.".startswith(f"{room}.")
            if room in tree.packages and not inside and wanted not in tree.offers(room):
                problems.append(f"{arrow.source} imports {wanted} of {room}, which does not offer it in __all__")
    return problems


def misplaced_tests(root: Path, stages: Sequence[str]) -> list[str]:
    """Test files that do not stand where the file or room that they are named for stands.

    `tests/a/b/test_c.py` and `tests/a/b/test_c_something.py` belong to `a/b/c.py`, to a script of that name, or to the
    room `a/b/c/`; `tests/STAGE/test_benchmark.py` to `benchmarks/STAGE.py`, as it needs the stage's fixtures.
    """
    problems = []
    for stage in stages:
        for test in sorted((root / "tests" / stage).rglob("test_*.py")):
            folder = root / test.parent.relative_to(root / "tests")
            words = test.stem.removeprefix("test_").split("_")
            if test.name == "test_benchmark.py" and (root / "benchmarks" / f"{folder.name}.py").is_file():
                continue
            names = {"_".join(words[:count]) for count in range(1, len(words) + 1)}
            files = (folder / f"{name}{suffix}" for name in names for suffix in (".py", ".sh", ".sbatch"))
            if not any(file.is_file() for file in files) and not any((folder / name).is_dir() for name in names):
                problems.append(f"{test.relative_to(root)}: {folder.relative_to(root)}/ has nothing of that name")
    return problems


def rooms_too_full(tree: Tree) -> list[str]:
    """Folders with more modules than a reader takes in at once."""
    modules = [name for name in tree.files if name not in tree.packages]
    counts: dict[str, int] = {}
    for name in modules:
        counts[name.rpartition(".")[0]] = counts.get(name.rpartition(".")[0], 0) + 1
    return [f"{folder} has {count} modules" for folder, count in counts.items() if count > MOST_MODULES]


@pytest.fixture(scope="module")
def tree(repository: Path) -> Tree:
    return Tree(repository, tuple(ORDER))


def test_there_is_no_circle(tree: Tree) -> None:
    assert circles(tree) == []


def test_arrows_point_along_the_road(tree: Tree) -> None:
    assert arrows_against_the_order(tree) == []


def test_rooms_are_entered_by_their_doors(repository: Path) -> None:
    assert closed_doors(Tree(repository, (*ORDER, "benchmarks"))) == []


def test_doors_lead_somewhere(tree: Tree) -> None:
    for package in tree.packages:
        bound = set()
        for node in ast.parse(tree.files[package].read_text(encoding="utf-8")).body:
            if isinstance(node, ast.ImportFrom):
                bound |= {alias.asname or alias.name for alias in node.names}
            elif isinstance(node, ast.FunctionDef | ast.ClassDef):
                bound.add(node.name)
            elif isinstance(node, ast.Assign):
                bound |= {ast.unparse(target) for target in node.targets}
        for name in tree.offers(package):
            assert name in bound or f"{package}.{name}" in tree.files, f"{package} offers {name}, which is not there"


def test_every_room_has_a_map(tree: Tree) -> None:
    for package in sorted(tree.packages):
        assert ast.get_docstring(ast.parse(tree.files[package].read_text(encoding="utf-8"))), package


def test_tests_mirror_the_source(repository: Path) -> None:
    assert misplaced_tests(repository, tuple(ORDER)) == []


def test_rooms_are_small(tree: Tree) -> None:
    assert rooms_too_full(tree) == []
    lines = [len(file.read_text(encoding="utf-8").splitlines()) for file in tree.files.values()]
    assert statistics.median(lines) < MEDIAN_LINES


def test_no_file_is_named_for_nothing(tree: Tree) -> None:
    vague = {"utils", "util", "helpers", "helper", "common", "misc", "manager"}
    assert not [name for name in tree.files if name.rpartition(".")[2] in vague]


def small_tree(root: Path, files: Mapping[str, str]) -> Tree:
    """A stage `preprocessing` of a few rooms in which nothing is wrong, and then `files`."""
    right = {
        "__init__.py": "",
        "pipeline.py": "from preprocessing.build import graph\n",
        "errors.py": "",
        "build/__init__.py": '"""Map."""\n__all__ = ["graph"]\n',
        "build/graph.py": "from preprocessing.tokens.tokenizer import X\nfrom preprocessing.build import inner\n",
        "build/inner.py": "from preprocessing.errors import Error\n",
        "tokens/__init__.py": '"""Map."""\n__all__ = ["tokenizer"]\n',
        "tokens/tokenizer.py": "",
    }
    for name, text in (right | dict(files)).items():
        path = root / "preprocessing" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return Tree(root, ("preprocessing",))


def test_a_right_tree_passes(tmp_path: Path) -> None:
    tree = small_tree(tmp_path, {})
    assert circles(tree) + arrows_against_the_order(tree) + closed_doors(tree) + rooms_too_full(tree) == []


@pytest.mark.parametrize(
    ("files", "check", "message"),
    [
        (
            {"build/inner.py": "from preprocessing.build.graph import x\n"},
            circles,
            "preprocessing.build.graph -> preprocessing.build.inner",
        ),
        (
            {"build/inner.py": "if TYPE_CHECKING:\n    from preprocessing.build.graph import x\n"},
            circles,
            "preprocessing.build.graph -> preprocessing.build.inner",
        ),
        (
            {"build/inner.py": "def f():\n    from preprocessing.build import graph\n"},
            circles,
            "preprocessing.build.graph -> preprocessing.build.inner",
        ),
        (  # no circle of modules, but one of rooms
            {"tokens/words.py": "from preprocessing.build import inner\n"},
            circles,
            "preprocessing.build -> preprocessing.tokens -> preprocessing.build",
        ),
        (
            {"tokens/words.py": "from preprocessing.build.graph import x\n"},
            arrows_against_the_order,
            "build stands behind tokens",
        ),
        ({"errors.py": "import preprocessing.tokens\n"}, arrows_against_the_order, "tokens stands behind errors"),
        (
            {"verify.py": "from preprocessing.pipeline import run\n"},
            arrows_against_the_order,
            "a command imports another",
        ),
        ({"pipeline.py": "from preprocessing.build.inner import x\n"}, closed_doors, "inner of preprocessing.build"),
        ({"pipeline.py": "from preprocessing.build import inner\n"}, closed_doors, "inner of preprocessing.build"),
        (
            {"pipeline.py": "from preprocessing.tokens import Tokenizer\n"},
            closed_doors,
            "Tokenizer of preprocessing.tokens",
        ),
        ({f"tokens/m{n}.py": "" for n in range(MOST_MODULES)}, rooms_too_full, "preprocessing.tokens has 19 modules"),
    ],
)
def test_what_is_wrong_is_noticed(tmp_path: Path, files: dict[str, str], check, message: str) -> None:
    problems = check(small_tree(tmp_path, files))
    assert any(message in problem for problem in problems), problems


def test_stages_know_only_what_they_may(tmp_path: Path) -> None:
    small_tree(tmp_path, {})
    for name, text in {
        "pretraining/run/loop.py": "from preprocessing.build.graph import x\n",
        "cluster/beam.py": "import preprocessing.errors\ndef f():\n    import preprocessing.tokens\n",
    }.items():
        (tmp_path / name).parent.mkdir(parents=True)
        (tmp_path / name).write_text(text)
    problems = arrows_against_the_order(Tree(tmp_path, tuple(ORDER)))
    assert problems == [
        "pretraining.run.loop imports preprocessing.build.graph: pretraining may not know it",
        "cluster.beam imports preprocessing.errors when it is imported",
    ]


def test_a_test_in_the_wrong_room_is_noticed(tmp_path: Path) -> None:
    small_tree(tmp_path, {})
    for name in ("tokens/test_tokenizer_speed.py", "test_build.py", "tokens/test_graph.py"):
        path = tmp_path / "tests" / "preprocessing" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("")
    assert [problem.split(":")[0] for problem in misplaced_tests(tmp_path, ("preprocessing",))] == [
        "tests/preprocessing/tokens/test_graph.py"
    ]


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
