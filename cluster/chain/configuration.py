"""The file that says what a chain is: `run.toml`, its tables, and what Slurm is told about each stage.

    [run]        output: the folder of everything
    [slurm]      options of sbatch for all jobs; [slurm.phase1] those of one stage; variables for the jobs' environment
    [vocabulary] [preprocess] [phase1] [phase2] [finetune]     the stages; each may be left out

A stage's table has the keys of the stage's own command, and `recipe`: a file with such keys, which those in the table
override.
"""

import difflib
import re
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cluster.errors import ClusterError

TABLES = ("vocabulary", "preprocess", "phase1", "phase2", "finetune")
STAGES = ("vocabulary", "preprocess", "verify", "phase1", "phase2", "finetune", "report")
OWN_OPTIONS = (
    *("array", "chdir", "clusters", "comment", "dependency", "export", "export-file", "help", "hold", "job-name"),
    *("kill-on-invalid-dep", "output", "parsable", "quiet", "requeue", "no-requeue", "test-only", "usage", "version"),
    *("wait", "wrap"),
)
"""Options of sbatch that the chain gives itself, or that would make it another thing."""
OWN_VARIABLES = ("CODE_FOLDER", "DONE_FILE", "DONE_MARK", "PIPELINE")
"""Variables of the jobs' environment that the chain gives itself."""
_VARIABLES = "variables"
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")


@dataclass(frozen=True)
class SlurmOptions:
    """What sbatch gets for a stage's jobs: options as words, and variables of the jobs' environment."""

    words: tuple[str, ...] = ()
    variables: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Configuration:
    """A `run.toml` whose tables are known; what is in those of the stages is not looked at yet."""

    file: Path
    output: Path
    tables: Mapping[str, Mapping[str, Any]]
    slurm: Mapping[str, SlurmOptions]
    """For each of STAGES."""


def read_configuration(file: Path) -> Configuration:
    """The configuration in a file; raises `ClusterError` in one sentence where it is none."""
    try:
        content = tomllib.loads(file.read_text(encoding="utf-8-sig"))
    except FileNotFoundError as error:
        raise ClusterError(f"{file}: there is no such file") from error
    except OSError as error:
        raise ClusterError(f"{file} cannot be read: {error.strerror}") from error
    except (ValueError, RecursionError) as error:  # not TOML, or not UTF-8
        raise ClusterError(f"{file} is not TOML: {error}") from error
    _require_printable(content, str(file))
    known = ("run", "slurm", *TABLES)
    for name, table in content.items():
        if name not in known:
            raise ClusterError(f"{file}: unknown table [{name}]; {nearest(name, known)}")
        if not isinstance(table, dict):
            raise ClusterError(f"{file}: {name} = {table!r} is no table; write [{name}]")
    tables = {name: content[name] for name in TABLES if name in content}
    if not tables:
        raise ClusterError(f"{file} has no stage; give one or more of {', '.join(f'[{name}]' for name in TABLES)}")
    slurm = _slurm(content.get("slurm", {}), file)
    return Configuration(file, _output(content.get("run", {}), file), tables, slurm)


def nearest(name: str, known: Iterable[str]) -> str:
    """The end of a sentence about an unknown word."""
    names = sorted(known)
    near = difflib.get_close_matches(name, names, n=1, cutoff=0.5)
    return f"did you mean {near[0]}?" if near else f"known are {', '.join(names)}"


def _require_printable(value: Any, where: str) -> None:
    """No text has a character that is none: names of files with a line break are mistakes, and NUL ends a word."""
    if isinstance(value, str) and _CONTROL.search(value):
        raise ClusterError(f"{where}: {value!r} has a control character; take it out")
    inner: Iterable[tuple[str, Any]] = ()
    if isinstance(value, dict):
        inner = [(f"{where}: {key!r}", one) for key, one in value.items()]
    elif isinstance(value, list):
        inner = [(where, one) for one in value]
    for place, one in inner:
        _require_printable(one, place)


def _output(table: Mapping[str, Any], file: Path) -> Path:
    for key in table:
        if key != "output":
            raise ClusterError(f"{file}: [run] has no key {key!r}; {nearest(key, ('output',))}")
    output = table.get("output")
    if not isinstance(output, str) or not output.strip():
        raise ClusterError(f"{file}: [run] output is missing; name the folder of everything that the chain makes")
    if "://" in output:
        raise ClusterError(f"{file}: [run] output {output}: give a folder that all nodes see, not a remote address")
    # A folder of this very name could be made, and is what nobody means who writes it.
    if output.startswith(("~", "$")):
        raise ClusterError(
            f"{file}: [run] output {output}: {output[0]} means nothing here; write the folder's whole path"
        )
    # An option of the commands; two folders to them; to sbatch, a log's name without patterns.
    if output.startswith("-") or "," in output or "\\" in output:
        raise ClusterError(
            f"{file}: [run] output {output}: give a folder without commas, backslashes or a '-' in front"
        )
    return Path(output)


def _slurm(table: Mapping[str, Any], file: Path) -> dict[str, SlurmOptions]:
    of_all = {
        key: value
        for key, value in table.items()
        if key == _VARIABLES or not (isinstance(value, dict) or key in STAGES)
    }
    for key in table.keys() - of_all.keys():
        if key not in STAGES:
            raise ClusterError(f"{file}: [slurm.{key}] is no stage; {nearest(key, (*STAGES, _VARIABLES))}")
    found = {}
    for stage in STAGES:
        own = table.get(stage, {})
        if not isinstance(own, dict):
            raise ClusterError(f"{file}: [slurm] {stage} = {own!r} is no table; write [slurm.{stage}]")
        merged = {**_options(of_all, "slurm", file), **_options(own, f"slurm.{stage}", file)}
        variables = {
            **_variables(of_all.get(_VARIABLES, {}), "slurm", file),
            **_variables(own.get(_VARIABLES, {}), f"slurm.{stage}", file),
        }
        given = {key: value for key, value in merged.items() if value is not False}
        words = tuple(f"--{key}" if value is True else f"--{key}={value}" for key, value in given.items())
        found[stage] = SlurmOptions(words, variables)
    return found


def _options(table: Mapping[str, Any], where: str, file: Path) -> dict[str, str | bool]:
    found: dict[str, str | bool] = {}
    for name, value in table.items():
        key = name.replace("_", "-")
        if name == _VARIABLES:
            continue
        # sbatch takes the beginning of an option for all of it.
        if key and any(own.startswith(key) for own in OWN_OPTIONS):
            raise ClusterError(f"{file}: [{where}] {name} is given by the chain itself; leave it out")
        if not re.fullmatch("[a-z][a-z0-9-]+", key) or not isinstance(value, str | int | float):
            raise ClusterError(
                f"{file}: [{where}] {name} = {value!r}: write a long option of sbatch and its text or number, or true, "
                "or false for none"
            )
        found[key] = value if isinstance(value, bool) else str(value)
    return found


def _variables(table: Any, where: str, file: Path) -> dict[str, str]:
    if not isinstance(table, dict) or not all(isinstance(value, str | int | float) for value in table.values()):
        raise ClusterError(f"{file}: [{where}] variables must be a table of names and texts")
    for name, value in table.items():
        if not name.isidentifier() or isinstance(value, bool):
            raise ClusterError(f"{file}: [{where}] variables.{name} = {value!r}: a variable of the shell has a text")
        if name in OWN_VARIABLES or name.startswith("SLURM_"):
            raise ClusterError(f"{file}: [{where}] variables.{name} is given by the chain or by Slurm; leave it out")
    return {name: str(value) for name, value in table.items()}
