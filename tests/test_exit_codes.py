"""docs/exit-codes.md says of every error class and every command with which code it ends, as the code has it.

The sources are read, and nothing is run: classes with an `exit_code`, their own or inherited, and in the file of a
command the numbers that its functions return, with the constants behind them.
"""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parent.parent
PAGE = REPOSITORY / "docs" / "exit-codes.md"
STAGES = ("preprocessing", "pretraining", "finetuning", "cluster")
ELSEWHERE = {
    "cluster.demo": "cluster/demo/road.py",
    "cluster.reproduction": "cluster/reproduction/road.py",
    "finetuning.sweep": "finetuning/sweeps/whole_sweep.py",
}
"""Where a command's codes are, besides its own file."""
BY_CLASS = {2, 75, 137}
"""Codes that a command takes from the class of an error, and that stand in its file as no number."""
ENDINGS = {"end_unread": (141,), "run_program": (0, 130)}
"""Calls that end a command, and their codes."""


def sources(root: Path) -> dict[str, ast.Module]:
    """Each module of the stages, parsed, by its name."""
    found = {}
    for stage in STAGES:
        for file in sorted((root / stage).rglob("*.py")):
            name = ".".join(file.relative_to(root).with_suffix("").parts).removesuffix(".__init__")
            found[name] = ast.parse(file.read_text(encoding="utf-8"))
    return found


def constants(tree: ast.Module) -> dict[str, int]:
    """Whole numbers that are bound to a name at the top of a module."""
    found = {}
    for node in tree.body:
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, int):
            found[ast.unparse(node.targets[0])] = node.value.value
    return found


def error_codes(trees: dict[str, ast.Module]) -> dict[str, int]:
    """The exit code of each public class that has one, its own or inherited; `module.Class`."""
    own: dict[str, int] = {}
    bases: dict[str, list[str]] = {}
    home: dict[str, str] = {}
    for module, tree in trees.items():
        numbers = constants(tree)
        for node in (node for node in ast.walk(tree) if isinstance(node, ast.ClassDef)):
            home[node.name], bases[node.name] = module, [ast.unparse(base).split(".")[-1] for base in node.bases]
            for line in node.body:
                if isinstance(line, ast.Assign) and ast.unparse(line.targets[0]) == "exit_code":
                    said = ast.unparse(line.value)
                    own[node.name] = numbers[said] if said in numbers else int(said)

    def code_of(name: str) -> int | None:
        above = (code_of(base) for base in bases.get(name, ()) if base != name)
        return own[name] if name in own else next((code for code in above if code is not None), None)

    codes = {f"{home[name]}.{name}": code_of(name) for name in home if not name.startswith("_")}
    return {name: code for name, code in codes.items() if code is not None}


def command_codes(trees: dict[str, ast.Module], root: Path) -> dict[str, set[int]]:
    """Each module that can be run, and the codes that its file returns: numbers, constants, calls of `ENDINGS`."""
    known = {name: number for tree in trees.values() for name, number in constants(tree).items()}
    found = {}
    for module, tree in trees.items():
        if any(isinstance(node, ast.If) and "__main__" in ast.unparse(node.test) for node in tree.body):
            name = module.removesuffix(".__main__")
            files = [tree]
            if name in ELSEWHERE:
                files.append(ast.parse((root / ELSEWHERE[name]).read_text(encoding="utf-8")))
            found[name] = {code for file in files for code in _returned(file, known | constants(file))}
    return {name: codes for name, codes in found.items() if f"{name.replace('.', '/')}.py" not in ELSEWHERE.values()}


def _returned(tree: ast.Module, known: dict[str, int]) -> Iterator[int]:
    for function in (node for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)):
        if function.returns is None or ast.unparse(function.returns) != "int":
            continue
        for node in (node for node in ast.walk(function) if isinstance(node, ast.Return) and node.value is not None):
            assert node.value is not None
            values = [node.value.body, node.value.orelse] if isinstance(node.value, ast.IfExp) else [node.value]
            for value in values:
                if isinstance(value, ast.Constant) and isinstance(value.value, int):
                    yield value.value
                elif isinstance(value, ast.Name) and re.fullmatch("EXIT_[A-Z_]+|INTERRUPTED|AGAIN", value.id):
                    yield known[value.id]
                elif isinstance(value, ast.Call):
                    yield from ENDINGS.get(ast.unparse(value.func), ())


def rows(heading: str, text: str) -> list[list[str]]:
    """The cells of each row of the table below a heading, without the table's own head."""
    part = text.split(f"\n## {heading}\n")[1].split("\n## ")[0]
    lines = [line for line in part.splitlines() if line.startswith("|")][2:]
    return [[cell.strip().strip("`") for cell in re.split(r"(?<!\\)\|", line)[1:-1]] for line in lines]


def commands_of_page(text: str) -> dict[str, set[int]]:
    """Module and codes of each row of the table of commands."""
    found = {}
    for command, codes, _ in rows("Every command", text):
        words = command.split()
        named = words[-1] if words[-1].count("/") == 0 else words[-1].removesuffix(".py").replace("/", ".")
        found[named] = {int(code) for code in codes.split(",")}
    return found


@pytest.fixture(scope="module")
def trees() -> dict[str, ast.Module]:
    return sources(REPOSITORY)


@pytest.fixture(scope="module")
def page() -> str:
    return PAGE.read_text(encoding="utf-8")


def test_every_error_class_has_its_code(trees: dict[str, ast.Module], page: str) -> None:
    said = {name: int(code) for name, code, _ in rows("Every class of error", page)}
    codes = error_codes(trees)
    assert {name: codes.get(name) for name in said} == said
    different = {name for name, code in codes.items() if code != said.get(name)}
    # A class that adds nothing but its name may be left out where the class that it is made of says the same.
    assert sorted(different) == ["cluster.checks.meeting.ToldToEndError"]


def test_every_command_is_there_with_its_codes(trees: dict[str, ast.Module], page: str) -> None:
    said, read = commands_of_page(page), command_codes(trees, REPOSITORY)
    assert sorted(said) == sorted(read)
    for name, codes in read.items():
        assert codes <= said[name], f"{name} returns {sorted(codes)}, the page says {sorted(said[name])}"
        assert {0, 2} <= said[name], name
        unexplained = said[name] - codes - BY_CLASS - {0}
        assert unexplained == ({1} if name == "pretraining.main" else set()), f"{name}: {unexplained} is in no code"


def test_every_code_is_explained(page: str) -> None:
    explained = {int(row[0]) for row in rows("The codes", page)}
    for name, codes in commands_of_page(page).items():
        assert codes <= explained, name


@pytest.mark.parametrize(
    ("source", "codes"),
    [
        ("class AError(Exception):\n    exit_code = 3\nclass BError(m.AError): ...\n", {"s.AError": 3, "s.BError": 3}),
        ("N = 4\nclass AError(Exception):\n    exit_code = N\nclass _BError(AError): ...\n", {"s.AError": 4}),
        ("class AError(AError):\n    x = 1\n", {}),
    ],
)
def test_codes_of_classes(source: str, codes: dict[str, int]) -> None:
    assert error_codes({"s": ast.parse(source)}) == codes


def test_codes_of_a_command() -> None:
    source = (
        "EXIT_ODD = 7\ndef main() -> int:\n    if a:\n        return EXIT_ODD if b else 0\n    if c:\n"
        "        return end_unread()\n    return error.exit_code\ndef share() -> float:\n    return 100\n"
        "if __name__ == '__main__':\n    main()\n"
    )
    assert command_codes({"stage.tool": ast.parse(source)}, REPOSITORY) == {"stage.tool": {0, 7, 141}}
