import argparse
import sys
from pathlib import Path

import pytest
from site_pages import command_options
from site_pages.command_options import Command, Option, command_modules, command_of, page_of, start_of

from preprocessing.arguments import OptionParser


def options_of(command: Command) -> dict[str, Option]:
    return {name: option for group in command.groups for option in group.options for name in option.names}


def described(parser: argparse.ArgumentParser) -> Command:
    return command_options._described("start", parser)


def test_the_commands_are_found(repository: Path) -> None:
    found = command_modules(repository)
    assert {"preprocessing.pipeline", "pretraining.main", "finetuning.sweep", "cluster.demo"} <= set(found)
    assert "cluster.demo.road" not in found
    assert "preprocessing.errors" not in found
    assert [name.partition(".")[0] for name in found] == sorted(
        (name.partition(".")[0] for name in found), key=command_options.STAGES.index
    )


def test_inner_commands_are_commands(repository: Path) -> None:
    for module in command_options.INNER:
        assert (repository / f"{module.replace('.', '/')}.py").is_file()


@pytest.mark.parametrize(
    ("module", "start"),
    [
        ("preprocessing.pipeline", "beam run preprocessing/pipeline.py"),
        ("preprocessing.verify", "python -m preprocessing.verify"),
        ("pretraining.main", "deepspeed pretraining/main.py"),
        ("cluster.beam", "beam"),
    ],
)
def test_a_command_is_named_as_it_is_typed(module: str, start: str) -> None:
    assert start_of(module) == start


def test_the_options_of_a_real_command() -> None:
    argv = list(sys.argv)
    command = command_of("preprocessing.download")
    assert sys.argv == argv
    assert [inner.start for inner in command.subcommands] == [
        "python -m preprocessing.download wikipedia",
        "python -m preprocessing.download books",
    ]
    options = options_of(command.subcommands[0])
    assert options["--output"].required
    assert options["--date"].default == "latest"
    assert "--help" not in options


def test_names_values_defaults_and_titles() -> None:
    parser = OptionParser("prog", "What it does.")
    parser.add_argument("place", metavar="FOLDER", help="where")
    parser.add_argument("--count", "-c", type=int, default=3, help="how many, in steps")
    parser.add_argument("--hidden", help=argparse.SUPPRESS)
    group = parser.add_argument_group("data", "What is read.")
    group.add_argument("--must", required=True, choices=("a", "b"), help="one of 100%% of them")
    group.add_argument("--flag", action="store_true", help="or not (default: as (it) is)")
    command = described(parser)
    assert command.meaning == "What it does."
    assert [(group.title, group.meaning) for group in command.groups] == [("", ""), ("", ""), ("data", "What is read.")]
    assert options_of(command) == {
        "FOLDER": Option(("FOLDER",), "", "", True, "where"),
        "--count": (count := Option(("--count", "-c"), "N", "3", False, "how many, in steps")),
        "-c": count,
        "--must": Option(("--must",), "a|b", "", True, "one of 100% of them"),
        "--flag": Option(("--flag",), "", "as (it) is", False, "or not"),
    }
    page = page_of("stage", [command])
    assert "## `start`\n\nWhat it does.\n" in page
    assert "| `--count`, `-c` | `N` | `3` | how many, in steps |" in page
    assert "| `--must` | `a|b` | required | one of 100% of them |" in page
    assert "| `--flag` |  | as (it) is | or not |" in page
    assert "hidden" not in page


def test_a_module_without_help_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "helpless_command.py").write_text("")
    monkeypatch.syspath_prepend(str(tmp_path))
    with pytest.raises(RuntimeError, match="helpless_command --help prints no help"):
        command_of("helpless_command")


def test_subcommands_that_have_no_parser_of_their_own_are_there() -> None:
    command = command_of("cluster.submit")
    assert [inner.start for inner in command.subcommands] == [
        "python -m cluster.submit status",
        "python -m cluster.submit cancel",
    ]
    assert "--watch" in options_of(command.subcommands[0])
    assert "--watch" not in options_of(command)
