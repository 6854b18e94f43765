"""The stages of a chain: what each runs, what it waits for, and how one sees that it is complete."""

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal

from cluster.chain.configuration import Configuration
from cluster.chain.progress import Progress

Wait = Literal["afterok", "afterany"]
CODE = "CODE_FOLDER/"
"""What begins so in a stage's arguments is a file of the code that the job runs."""


@dataclass(frozen=True)
class Part:
    """One job of a stage: its own options of sbatch, and the places of those parts that must have ended before."""

    script: str
    arguments: tuple[str, ...]
    options: tuple[str, ...] = ()
    after: tuple[int, ...] = ()
    wait: Wait = "afterany"


@dataclass(frozen=True)
class Stage:
    """A link of the chain. `needs`: names of earlier stages, and how they must have ended."""

    name: str
    arguments: tuple[str, ...]
    """What decides its result; its hash tells whether a stage was changed."""
    parts: Callable[[bool], tuple[Part, ...]]
    """The jobs of what is missing, as things are now; where it is told so, what they read is written."""
    needs: Mapping[str, Wait]
    outputs: tuple[Path, ...]
    """What it leaves; set aside when it is to be made again."""
    is_complete: Callable[[], bool]
    progress: Callable[[], Progress | None] = lambda: None
    check: Callable[[], None] = lambda: None
    """Raises `ClusterError` where what it reads from outside the chain is not there; asked before it is submitted."""
    options: tuple[str, ...] = ()
    variables: Mapping[str, str] = field(default_factory=dict)
    refreshes: bool = False
    """Made again whenever a stage that it needs is: it tells about the other's result."""
    marker: Path | None = None
    """The file that says that it is complete, where that is all that it is for."""
    prepare: tuple[str, ...] = ()
    """The words of a command that writes what the jobs read, as submitting does; for a script."""
    grows: bool = False
    """May be changed when it is complete: what is there stays, what is new is added."""

    @property
    def key(self) -> str:
        """Hex digest of what decides its result."""
        return hashlib.sha256(json.dumps(self.arguments).encode()).hexdigest()[:16]


def one_job(script: str, arguments: tuple[str, ...]) -> Callable[[bool], tuple[Part, ...]]:
    """The parts of a stage that is a single job."""
    return lambda writes: (Part(script, arguments),)


def command_stage(
    configuration: Configuration,
    name: str,
    command: tuple[str, ...],
    needs: Mapping[str, Wait],
    *,
    outputs: tuple[Path, ...] = (),
    refreshes: bool = False,
) -> Stage:
    """A stage that is one command of the project; a file in `done/` says that it ended well."""
    done = configuration.output / "done" / name
    slurm = configuration.slurm[name]
    stage = Stage(
        name,
        command,
        one_job("command.sbatch", command),
        needs,
        (*outputs, done),
        lambda: False,
        options=slurm.words,
        refreshes=refreshes,
        marker=done,
    )
    variables = {**slurm.variables, "DONE_FILE": str(done), "DONE_MARK": stage.key}
    return replace(stage, variables=variables, is_complete=done.is_file)
