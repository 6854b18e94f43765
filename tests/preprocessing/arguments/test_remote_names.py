"""Every option of every preprocessing command that is a path: it takes remote addresses, or refuses them.

The options are found, not listed: what argparse makes a path of, and texts whose help speaks of files or folders.
"""

import argparse
import importlib
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from preprocessing.arguments import OptionParser
from preprocessing.storage import location

ROOT = Path(__file__).parents[3]
RAW_INPUTS = ("--wikipedia", "--books", "--jsonlines", "--parquet", "--sentences", "--text")
INPUTS = (*RAW_INPUTS, "--corpus")
OF_DOCUMENTS = ("--decontamination.files", "--drop-lists", "--template-map")
REMOTE = {
    "pipeline": (*INPUTS, *OF_DOCUMENTS, "--vocab", "--output", "--config"),
    "vocabulary": (*INPUTS, *OF_DOCUMENTS, "--output", "--config"),
    "near_duplicates": (*INPUTS, *OF_DOCUMENTS, "--config"),
    "contamination": (*INPUTS, *OF_DOCUMENTS, "--output", "--config"),
    "corpus": (*RAW_INPUTS, "--template-map", "--output", "--config"),
    "verify": ("folder",),
    "inspect": ("folder",),
    "explain": ("shard", "--input"),
    "export": ("folder", "--output"),
    "report": ("folder", "--output"),
}
"""Which options take remote addresses, by command."""
LOCAL = {
    "pipeline": ("--dataset",),
    "vocabulary": ("--dataset",),
    "corpus": ("--dataset",),
    "near_duplicates": ("--dataset", "--output"),
    "contamination": ("--dataset",),
    "download": ("--output",),
}
"""Which are paths too, and refuse them."""
NO_PATHS = ("--skip-bad-files", "--books.encoding", "--records.text-field", "--lowercase", "--trust-times", "--help")
NO_PATHS += (
    "--max-bad-share",
    "--keep-intermediate",
    "--allow-any-runner",
    "--dataset-split",
    "--dataset-revision",
    "--limit",
)
SPEAKS_OF_FILES = re.compile(r"\b(?:files?|folders?|globs?|input of the build|vocab\.txt)\b")
BAD_BUCKET = "s3://no-such-bucket/train/16/x.arrow"

Run = Callable[[list[str]], int]


class Captured(Exception):  # noqa: N818
    """Carries the parser of a command out of it."""


def commands() -> dict[str, Run]:
    """Every command on the top level, by name."""
    found = {}
    for file in sorted((ROOT / "preprocessing").glob("*.py")):
        if "if __name__ ==" in file.read_text(encoding="utf-8"):
            module = importlib.import_module(f"preprocessing.{file.stem}")
            found[file.stem] = getattr(module, "run", None) or module.main
    return found


def parser_of(run: Run, monkeypatch: pytest.MonkeyPatch) -> OptionParser:
    def capture(parser: OptionParser, *_: object) -> None:
        raise Captured(parser)

    with monkeypatch.context() as patched:
        patched.setattr(OptionParser, "parse_known_args", capture)
        with pytest.raises(Captured) as caught:
            run([])
    return caught.value.args[0]


def path_options(parser: argparse.ArgumentParser) -> Iterator[str]:
    for action in parser._actions:
        if isinstance(action, argparse._SubParsersAction):
            for inner in action.choices.values():
                yield from path_options(inner)
            continue
        name = action.option_strings[0] if action.option_strings else action.dest
        speaks = action.nargs != 0 and SPEAKS_OF_FILES.search(action.help or "")
        if name not in NO_PATHS and (action.type in (Path, location) or speaks):
            yield name


def test_the_table_has_every_path_option(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, run in commands().items():
        listed = {*REMOTE.get(name, ()), *LOCAL.get(name, ())}
        assert set(path_options(parser_of(run, monkeypatch))) == listed, name


@pytest.fixture
def right(tmp_path: Path, shard_folder: Path) -> dict[str, list[str]]:
    """Arguments of each command with which nothing is wrong, as far as it is asked here."""
    (tmp_path / "lines.txt").write_text("one two three four five six seven eight nine ten eleven twelve thirteen\n")
    inputs = ["--sentences", str(tmp_path / "lines.txt")]
    output = ["--output", str(tmp_path / "out")]
    shard = next((shard_folder / "train" / "16").iterdir())
    return {
        "pipeline": [*inputs, *output, "--vocab", str(shard_folder / "tokenizer")],
        "vocabulary": [*inputs, *output],
        "corpus": [*inputs, *output],
        "near_duplicates": [*inputs, *output],
        "contamination": [*inputs, "--decontamination.files", str(tmp_path / "lines.txt")],
        "verify": [str(shard_folder)],
        "inspect": [str(shard_folder)],
        "explain": [str(shard), "0"],
        "export": [str(shard_folder), *output],
        "report": [str(shard_folder), *output],
        "download": ["books", "--ids", "1", *output],
    }


def given(right: list[str], option: str, value: str) -> list[str]:
    """The arguments with another value of the option, or of the one that stands first."""
    if not option.startswith("--"):
        return [value, *right[1:]]
    if option in right:
        at = right.index(option) + 1
        return [*right[:at], value, *right[at + 1 :]]
    return [*right, option, value]


def sentence(capsys: pytest.CaptureFixture[str], code: int) -> str:
    lines = capsys.readouterr().err.splitlines()
    assert (code, len(lines)) == (2, 1), lines
    return lines[0]


def pairs(table: dict[str, tuple[str, ...]]) -> list[tuple[str, str]]:
    return [(name, option) for name, options in table.items() for option in options]


@pytest.mark.parametrize(("name", "option"), pairs(REMOTE))
def test_it_reads_or_writes_remote_files(
    name: str, option: str, right: dict[str, list[str]], bucket, capsys: pytest.CaptureFixture[str]
) -> None:
    """The bucket is asked for, whatever the command asks first; and other addresses are refused."""
    run = commands()[name]
    said = sentence(capsys, run([*given(right[name], option, BAD_BUCKET), *bucket.options]))
    assert BAD_BUCKET in said
    assert "there is no such bucket" in said
    said = sentence(capsys, run(given(right[name], option, "abfss://container/x")))
    assert "abfss://container/x: of remote addresses only gs://, s3://, hdfs:// are read and written; copy it" in said


@pytest.mark.parametrize(("name", "option"), pairs(LOCAL))
def test_it_refuses_remote_files(
    name: str, option: str, right: dict[str, list[str]], capsys: pytest.CaptureFixture[str]
) -> None:
    said = sentence(capsys, commands()[name](given(right[name], option, BAD_BUCKET)))
    assert f"{option} {BAD_BUCKET}: this option takes no remote address; give a path on a local disk" in said


def test_a_configuration_file_may_be_remote_and_name_remote_files(
    bucket, right: dict[str, list[str]], capsys: pytest.CaptureFixture[str]
) -> None:
    address = bucket.put("build.toml", f"wikipedia = ['{BAD_BUCKET}']".encode())
    said = sentence(capsys, commands()["pipeline"]([*right["pipeline"], "--config", address, *bucket.options]))
    assert f"--wikipedia {BAD_BUCKET} cannot be read (there is no such bucket" in said
    address = bucket.put("build.toml", f"dataset = ['{BAD_BUCKET}']".encode())
    said = sentence(capsys, commands()["pipeline"]([*right["pipeline"], "--config", address, *bucket.options]))
    assert f"--dataset {BAD_BUCKET}: this option takes no remote address" in said


@pytest.mark.parametrize(
    ("command", "option"),
    [
        ("pretraining.evaluate", "--shards"),
        ("finetuning.report", "folders"),
        ("pretraining.export", "run"),
    ],
)
def test_the_later_stages_refuse_them(command: str, option: str, capsys: pytest.CaptureFixture[str]) -> None:
    arguments = {"pretraining.evaluate": ["--model", "x", "--shards", BAD_BUCKET, "--sequence-length", "128"]}
    words = arguments.get(command) or ([option, BAD_BUCKET] if option.startswith("--") else [BAD_BUCKET])
    code = importlib.import_module(command).main(words)
    said = capsys.readouterr().err
    assert code == 2, said
    assert f"{BAD_BUCKET}: this option takes no remote address; give a path on a local disk, and copy there" in said
