"""The commands of the pages: what stands in their code blocks, and what they name in running text."""

import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

STARTS = ("make", "python", "beam", "deepspeed", "torchrun", "sbatch", "srun", "pip", "git", "docker", "dask", "aws")
STARTS += ("cat", "source", "export", "cluster/restart.sh", "scancel", "squeue", "sinfo", "curl", "nvidia-smi")
"""First words of a line by which a code block is one of commands."""
SHELLS = ("bash", "sh", "shell", "console")
"""Languages of fenced blocks whose every line is a command."""
_FENCE = re.compile(
    r"^(?P<indent> *)```(?P<language>\w*)[^\n]*\n(?P<body>.*?)^(?P=indent)```", re.MULTILINE | re.DOTALL
)
_INDENTED = re.compile(r"(?:^(?: {4}|\t)[^\n]*\n|^\s*\n(?= {4}))+", re.MULTILINE)
_INLINE = re.compile(r"`((?:make|python -m|beam run|deepspeed|sbatch|srun|torchrun) [^`\n]*)`")
_ASSIGNMENT = re.compile(r"[A-Z_]+=\S*")
_PIPES = ("|", "&", "&&", ";", ">", "2>", "--")
_PLUMBING = ("cat", "head", "bash")
"""Programs that only hand on what another reads or writes."""
_WRAPPERS = ("srun", "cluster/restart.sh")
"""Programs that start the command behind them."""


@dataclass(frozen=True)
class Command:
    """One command of a page: its words, without comment, and without what comes before and behind it in a pipe."""

    page: str
    words: tuple[str, ...]
    in_block: bool

    def __str__(self) -> str:
        return f"{self.page}: {shlex.join(self.words)}"

    @property
    def program(self) -> str:
        """The words that name the program, which a test can run with other values."""
        return " ".join(program_of(self.words)[0])

    @property
    def options(self) -> list[str]:
        """The long options that it is given, in its order."""
        given = program_of(self.words)[1]
        return [word.partition("=")[0] for word in given if re.match(r"--\w", word)]


def commands_of(path: Path) -> list[Command]:
    """The commands of one page, in its order: those of its blocks, then those of its running text."""
    text = path.read_text(encoding="utf-8")
    found = []
    rest = text
    for block in _blocks(text):
        found += [Command(path.name, words, True) for line in _lines(*block) for words in _commands_in(line)]
    rest = _INDENTED.sub("", _FENCE.sub("", rest))
    found += [Command(path.name, words, False) for line in _INLINE.findall(rest) for words in _commands_in(line)]
    return found


def _blocks(text: str) -> Iterator[tuple[str, str]]:
    """Language and text of every code block, fenced or indented."""
    for match in _FENCE.finditer(text):
        yield match["language"], re.sub(f"^{match['indent']}", "", match["body"], flags=re.MULTILINE)
    for match in _INDENTED.finditer(_FENCE.sub("", text)):
        yield "", match[0]


def _lines(language: str, body: str) -> list[str]:
    """The commands of a block, a line each; none where the block holds no commands. Continued lines are joined, and
    the lines of a here-document belong to nobody.
    """
    if language not in ("", *SHELLS):
        return []
    body = re.sub(r"<<\s*'?(\w+)'?(.*?)\n.*?^\s*\1\s*$", r"\2", body, flags=re.MULTILINE | re.DOTALL)
    lines = [line.strip().removeprefix("$ ") for line in re.sub(r"\s*\\\n\s*", " ", _uncommented(body)).splitlines()]
    commands = [line for line in lines if line and (_first_word(line) in STARTS or language in SHELLS)]
    return [line for line in commands if not line.startswith("#")]


def _uncommented(body: str) -> str:
    return re.sub(r"(^|\s)\s*# .*$", "", body, flags=re.MULTILINE)


def _first_word(line: str) -> str:
    return next((word for word in line.split() if not _ASSIGNMENT.fullmatch(word)), "")


def _commands_in(line: str) -> Iterator[tuple[str, ...]]:
    """The commands that pipes and the like part, and those that others start, without assignments in front, and
    with `VALUE` for a value that is left open (`…`).
    """
    words: list[str] = []
    for word in [*shlex.split(line), ";"]:
        if word in _PIPES:
            while words and _ASSIGNMENT.fullmatch(words[0]):
                words.pop(0)
            if words and words[0] in _WRAPPERS:
                inner = next((place for place, one in enumerate(words) if one in STARTS and place), len(words))
                yield tuple(words[:inner])
                words = words[inner:]
            if words and words[0] not in _PLUMBING:
                yield tuple(words)
            words = []
        elif word == "…":
            if words and words[-1].startswith("--"):  # the value of an option
                words.append("VALUE")
        else:
            words.append(word.rstrip("…"))


def program_of(words: tuple[str, ...]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The words that name a program, and those that it is given."""
    match words:
        case ("python", "-m", ("timeit" | "pytest") as module, *rest):
            return ("python", "-m", module), tuple(rest)
        case ("python", "-m", module, sub, *rest) if re.fullmatch(r"[a-z]+", sub) and module in _WITH_SUBCOMMANDS:
            return ("python", "-m", module, sub), tuple(rest)
        case ("python", "-m", module, *rest):
            return ("python", "-m", module), tuple(rest)
        case ("beam", "run", file, *rest):
            return ("beam", "run", file), tuple(rest)
        case ("make" | "git" | "pip" | "docker" | "aws" | "dask", first, *rest):
            return (words[0], first), tuple(rest)
        case (launcher, *rest) if (place := _place_of_program(rest)) is not None:
            return (launcher, rest[place]), tuple(rest[place + 1 :])
        case _:
            return words[:1], words[1:]


_WITH_SUBCOMMANDS = ("preprocessing.download", "finetuning.submission", "cluster.submit")


def _place_of_program(words: list[str]) -> int | None:
    """Where the file stands that a launcher (`deepspeed`, `torchrun`, `sbatch`, `python`) starts."""
    places = (place for place, word in enumerate(words) if word.endswith((".py", ".sbatch")) and "/" in word)
    return next(places, None)
