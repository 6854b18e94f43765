"""Every command of the project can be asked for its help: at once, in one style, with a text for each option.

The commands are found, not listed: every file of the stages and of the benchmarks that can be run. Each is started as a
user starts it; `help_probe/sitecustomize.py` notes in that process which parser printed the help.
"""

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

REPOSITORY = Path(__file__).resolve().parent.parent
FOLDERS = ("preprocessing", "pretraining", "finetuning", "cluster", "benchmarks")
HEAVY = ("torch", "apache_beam")
"""What takes seconds to import, and may not be imported for a help …"""
MAY_BE_HEAVY = re.compile(r"benchmarks\.")
"""… but by these."""
FILES = ("preprocessing/pipeline.py", "preprocessing/vocabulary.py", "preprocessing/near_duplicates.py")
FILES += ("preprocessing/corpus.py", "preprocessing/contamination.py", "pretraining/main.py", "finetuning/main.py")


@dataclass(frozen=True)
class Help:
    """What a command said when it was asked for its help, and what the probe noted."""

    words: tuple[str, ...]
    code: int
    output: str
    errors: str
    parser: dict[str, Any] | None
    imported: tuple[str, ...]


def modules(root: Path) -> list[str]:
    """The modules below `root` that can be run, as `python -m` names them."""
    found = []
    for folder in FOLDERS:
        for file in sorted((root / folder).rglob("*.py")):
            if re.search(r"^if __name__ == .__main__.:", file.read_text(encoding="utf-8"), flags=re.MULTILINE):
                found.append(".".join(file.relative_to(root).with_suffix("").parts).removesuffix(".__main__"))
    return found


def ask_for_help(words: Sequence[str], folder: Path, root: Path = REPOSITORY) -> Help:
    """Runs `python WORDS --help` in `root`; the probe's notes go to `folder`."""
    notes = folder / "help.json"
    notes.unlink(missing_ok=True)
    places = (str(Path(__file__).parent / "help_probe"), str(root), str(REPOSITORY))
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(places), "HELP_PROBE": str(notes), "COLUMNS": "200"}
    run = subprocess.run(
        [sys.executable, *words, "--help"], capture_output=True, text=True, check=False, cwd=root, env=environment
    )
    noted = json.loads(notes.read_text(encoding="utf-8")) if notes.exists() else {"parser": None, "imported": ()}
    return Help(tuple(words), run.returncode, run.stdout, run.stderr, noted["parser"], tuple(noted["imported"]))


def problems_of(help_: Help) -> Iterator[str]:
    """What is wrong with the help of a command."""
    if help_.code != 0:
        yield f"exit code {help_.code}"
    if help_.errors:
        yield f"on stderr: {help_.errors.strip().splitlines()[-1]}"
    if not help_.output.startswith("usage: "):
        yield "does not begin with its usage"
    for nonsense in ("PydanticUndefined", "SUPPRESS", "None)", "<class ", "<function "):
        if nonsense in help_.output:
            yield f"{nonsense} in the text"
    if not MAY_BE_HEAVY.match(help_.words[-1]):
        yield from (f"imports {name}" for name in HEAVY if name in help_.imported)
    if help_.parser is None:
        yield "printed by no parser"
    else:
        yield from problems_of_parser(help_.parser)


def problems_of_parser(parser: dict[str, Any]) -> Iterator[str]:
    """What is wrong with a parser and its subcommands, as the probe describes them."""
    if "preprocessing.arguments.parser.OptionParser" not in parser["kinds"]:
        yield f"{parser['prog']}: its parser is {parser['kinds'][0]}"
    if not parser["description"]:
        yield f"{parser['prog']}: no description"
    for entry in parser["listed"]:
        names = ", ".join(entry["names"])
        if not re.search(r"\w", re.sub(r"\((default|required).*", "", entry["help"])):
            yield f"{parser['prog']}: no help for {names}"
        if len(re.findall(r"\(default|\(required", entry["help"])) > 1:
            yield f"{parser['prog']}: two defaults for {names}"
        if any(name.startswith("--") and "_" in name for name in entry["names"]):
            yield f"{parser['prog']}: an underscore in {names}"
    for subcommand in parser["subcommands"].values():
        yield from problems_of_parser(subcommand)


COMMANDS = [("-m", module) for module in modules(REPOSITORY)]
COMMANDS += [("-m", "cluster.submit", "status"), ("-m", "cluster.submit", "cancel")]
COMMANDS += [("-m", "cluster.beam", "run"), ("-m", "cluster.beam", "run", FILES[0])]
COMMANDS += [(file,) for file in FILES]


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_help(words: tuple[str, ...], tmp_path: Path) -> None:
    assert list(problems_of(ask_for_help(words, tmp_path))) == []


def test_the_commands_are_found() -> None:
    found = set(modules(REPOSITORY))
    assert {"cluster.beam", "cluster.demo", "finetuning.sweep", "preprocessing.pipeline", "benchmarks.loader"} <= found
    assert "preprocessing.errors" not in found


def test_the_help_after_a_file_is_the_files_own(tmp_path: Path) -> None:
    of_command = ask_for_help(("-m", "cluster.beam", "run"), tmp_path)
    of_file = ask_for_help(("-m", "cluster.beam", "run", "preprocessing/pipeline.py"), tmp_path)
    assert "beam run FILE" in of_command.output
    assert "beam run preprocessing/pipeline.py" in of_file.output
    assert "--sequence-lengths" in of_file.output


RIGHT = """\
import argparse
import sys
from preprocessing.arguments import OptionParser
parser = OptionParser("command", "What it does.")
parser.add_argument("--shown", default=3, help="a number of things")
parser.add_argument("--local_rank", help=argparse.SUPPRESS)
parser.parse_args()
"""


SUB = "parser.add_subparsers().add_parser"
WRONG = [
    (', help="a number of things"', "", "no help for --shown"),
    ("a number of things", "(default: three)", "no help for --shown"),
    ('"--shown", default=3, help="a number of things"', '"shown"', "no help for shown"),
    ("a number of things", "a number (default: 3) of things (default: three)", "two defaults for --shown"),
    ("a number of things", "a number (default: None)", "None) in the text"),
    ("default=3", 'default="PydanticUndefined"', "PydanticUndefined in the text"),
    ("help=argparse.SUPPRESS", "help='h', default='==SUPPRESS== '", "SUPPRESS in the text"),
    ("--shown", "--not_shown", "an underscore in --not_shown"),
    (', "What it does."', "", "command: no description"),
    ("parser.parse", f"{SUB}('sub', description='d')\nparser.parse", "no help for sub"),
    ("parser.parse", f"{SUB}('sub', help='h')\nparser.parse", "command sub: no description"),
    ("parser.parse", f"{SUB}('sub', help='h').add_argument('--x')\nparser.parse", "command sub: no help for --x"),
    ("parser.parse_args()", "print('usage: command')", "printed by no parser"),
    ("parser.parse_args()", "print(parser.format_help()[7:])", "does not begin with its usage"),
    ("parser.parse_args()", "print(parser.format_help())\nsys.exit(3)", "exit code 3"),
    ("import sys", "import sys\nprint('careful', file=sys.stderr)", "on stderr: careful"),
    ("import sys", "import torch", "imports torch"),
    ("OptionParser(", "argparse.ArgumentParser('command', None, ", "its parser is argparse.ArgumentParser"),
]


def problems_of_program(program: str, folder: Path) -> list[str]:
    """What is wrong with the help of a program that is not ours; it may import an empty `torch`."""
    (folder / "torch.py").write_text("")
    (folder / "command.py").write_text(program)
    return list(problems_of(ask_for_help(("-m", "command"), folder, root=folder)))


def test_a_right_command_passes(tmp_path: Path) -> None:
    assert problems_of_program(RIGHT, tmp_path) == []


@pytest.mark.parametrize(("old", "new", "problem"), WRONG, ids=[row[-1] for row in WRONG])
def test_what_is_wrong_is_noticed(tmp_path: Path, old: str, new: str, problem: str) -> None:
    problems = problems_of_program(RIGHT.replace(old, new), tmp_path)
    assert any(problem in found for found in problems), problems
