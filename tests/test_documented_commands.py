"""Every command of the README, of CONTRIBUTING and of `docs/` can be run as written, and a test runs it; or there is a
reason why none does.

Its words are given to the parser that the program itself uses (`documented_commands/checking.py`). Which test runs it
is in `documented_commands/register.toml`: a command that is new on a page fails here until it stands there.
"""

import ast
import re
import tomllib
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.documented_commands.checking import problem_of
from tests.documented_commands.collecting import Command, commands_of

REPOSITORY = Path(__file__).resolve().parent.parent
PAGES = [REPOSITORY / "README.md", REPOSITORY / "CONTRIBUTING.md", *sorted((REPOSITORY / "docs").glob("*.md"))]
REGISTER = REPOSITORY / "tests" / "documented_commands" / "register.toml"
CI = ".ci/run"


@pytest.fixture(scope="module")
def register() -> dict[str, dict[str, str]]:
    return tomllib.loads(REGISTER.read_text(encoding="utf-8"))


def shown() -> list[Command]:
    """The commands of all code blocks."""
    return [command for page in PAGES for command in commands_of(page) if command.in_block]


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.name)
def test_every_command_can_be_run_as_written(page: Path) -> None:
    assert [problem for command in commands_of(page) if (problem := problem_of(command))] == []


def unregistered(commands: list[Command], register: Mapping[str, Mapping[str, str]]) -> list[str]:
    """Commands, and their options, that neither a test runs nor a reason excuses."""
    problems = []
    for command in commands:
        program = command.program
        if program in register["run"]:
            problems += [
                f"{command}: no test of {program} gives it {option}; let one do so, or put "
                f'"{program} {option}" = "REASON" below [options]'
                for option in command.options
                if f"{program} {option}" not in register["options"] and not is_given_somewhere(program, option)
            ]
        elif program not in register["not_run"]:
            problems.append(f'{command}: put "{program}" = "TEST" below [run], or "REASON" below [not_run]')
    return problems


def test_a_test_runs_every_command_or_a_reason_says_why_none_does(register: dict[str, dict[str, str]]) -> None:
    assert unregistered(shown(), register) == [], f"in {REGISTER.relative_to(REPOSITORY)}"


def test_the_register_holds_nothing_else(register: dict[str, dict[str, str]]) -> None:
    site = yaml.load((REPOSITORY / "mkdocs.yml").read_text(encoding="utf-8"), _PlainLoader)
    programs = {command.program for command in shown()}
    options = {f"{command.program} {option}" for command in shown() for option in command.options}
    assert sorted({*register["run"]} & {*register["not_run"]}) == []
    assert {*register["not_run"].values(), *register["options"].values()} == {*register["reasons"]}
    if not site["extra"].get("pages_to_come"):  # what pages that are not there yet show may stand here already
        assert sorted({*register["run"], *register["not_run"]} - programs) == []
        assert sorted({*register["options"]} - options) == []


class _PlainLoader(yaml.SafeLoader):
    """Reads `mkdocs.yml`, whose slugs are a function."""


_PlainLoader.add_multi_constructor("tag:yaml.org,2002:python/", lambda loader, suffix, node: suffix)


def test_the_tests_of_the_register_are_there_and_name_their_program(register: dict[str, dict[str, str]]) -> None:
    assert [problem for program, test in register["run"].items() if (problem := problem_of_test(program, test))] == []


def problem_of_test(program: str, test: str) -> str | None:
    """What is wrong with an entry below [run]."""
    if test == CI:
        targets = re.findall(r"^\s*make (.*)$", (REPOSITORY / CI).read_text(encoding="utf-8"), flags=re.MULTILINE)
        known = {f"make {target}" for line in targets for target in line.split()} | {"make format"}
        return None if program in known else f"{program}: {CI} does not run it"
    file, _, name = test.partition("::")
    path = REPOSITORY / file
    if not path.is_file():
        return f"{program}: there is no {file}"
    text = path.read_text(encoding="utf-8")
    functions = [node for node in ast.parse(text).body if isinstance(node, ast.FunctionDef) and node.name == name]
    if not functions:
        return f"{program}: {file} has no {name}"
    if any("skip" in ast.unparse(decorator).split("(")[0].split(".") for decorator in functions[0].decorator_list):
        return f"{program}: {test} is skipped"
    return None if names(text, program) else f"{program}: {file} does not name it"


def names(text: str, program: str) -> bool:
    """Whether a test's file names a program: its module, its file, or what it imports of it."""
    *_, last = (word for word in program.split() if not re.fullmatch(r"[a-z]+", word) or word == program)
    stem = Path(last).stem if "/" in last else last.rpartition(".")[2]
    return re.search(rf"\b{re.escape(stem)}\b", text) is not None


@cache
def _tests() -> dict[str, str]:
    """The words of each test's name, and its text."""
    files = sorted((REPOSITORY / "tests").rglob("*.py"))
    here = REPOSITORY / "tests" / "documented_commands"
    others = (file for file in files if file.name != Path(__file__).name and here not in file.parents)
    return {f"{file.stem.replace('_', ' ')} {file}": file.read_text(encoding="utf-8") for file in others}


def is_given_somewhere(program: str, option: str) -> bool:
    """Whether some test that names the program has the option, as it is typed, as a keyword or as a key of a file."""
    key = option.removeprefix("--").replace("-", "_")
    table, _, last = key.rpartition(".")
    forms = [
        re.escape(option),
        re.escape(option.replace("_", "-")),
        rf"\b{re.escape(last)}\s*=",
        rf'"{re.escape(last)}"',
    ]
    if table:
        forms.append(re.escape(key))
    given = re.compile("|".join(forms))
    return any(given.search(text) for file, text in _tests().items() if names(f"{file}\n{text}", program))


def command(*words: str) -> Command:
    return Command("page.md", words, True)


SMALL_REGISTER: dict[str, dict[str, Any]] = {
    "run": {"python -m preprocessing.verify": "tests/preprocessing/test_verify.py::test_x"},
    "not_run": {"git clone": "network"},
    "options": {"python -m preprocessing.verify --excused": "network"},
}


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        (("python", "-m", "preprocessing.verify", "x"), None),
        (("git", "clone", "x", "--depth", "1"), None),
        (("python", "-m", "preprocessing.verify", "--excused"), None),
        (
            ("python", "-m", "preprocessing.verify", "--fnord"),
            'put "python -m preprocessing.verify --fnord" = "REASON"',
        ),
        (("python", "-m", "preprocessing.inspect"), 'put "python -m preprocessing.inspect" = "TEST" below [run]'),
    ],
)
def test_a_command_that_nothing_runs_is_noticed(words: tuple[str, ...], problem: str | None) -> None:
    problems = unregistered([command(*words)], SMALL_REGISTER)
    assert problems == [] if problem is None else (len(problems) == 1 and problem in problems[0])


@pytest.mark.parametrize(
    ("program", "test", "problem"),
    [
        ("make lint", CI, None),
        ("make bench", CI, "does not run it"),
        ("python -m preprocessing.verify", "FOLDER/test_gone.py::test_x", "there is no"),
        ("python -m preprocessing.verify", "FOLDER/test_file.py::test_gone", "has no test_gone"),
        ("python -m preprocessing.verify", "FOLDER/test_file.py::test_skipped", "is skipped"),
        ("python -m preprocessing.verify", "FOLDER/test_file.py::test_it", None),
        ("python -m preprocessing.inspect", "FOLDER/test_file.py::test_it", "does not name it"),
    ],
)
def test_a_wrong_entry_is_noticed(program: str, test: str, problem: str | None, tmp_path: Path) -> None:
    (tmp_path / "test_file.py").write_text(
        "from preprocessing import verify\ndef test_it(): ...\n@pytest.mark.skip(reason='x')\ndef test_skipped(): ...\n"
    )
    said = problem_of_test(program, test.replace("FOLDER", str(tmp_path)))
    assert said is None if problem is None else (said is not None and problem in said)


def test_the_pages_show_the_commands_of_every_stage() -> None:
    programs = {command.program for command in shown()}
    for stage in (
        "beam run preprocessing/",
        "deepspeed pretraining/",
        "python -m finetuning.",
        "sbatch cluster/",
        "make ",
    ):
        assert any(program.startswith(stage) for program in programs), stage
