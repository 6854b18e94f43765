"""How a part of a stage is handed to sbatch: options, dependencies, script, arguments."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from cluster.chain.stages import CODE, Part, Stage

LOGS = "logs"


def job_words(stage: Stage, part: Part, name: str, output: Path, after: str, code: str) -> list[str]:
    """The words behind `sbatch`: the user's own options, then the chain's, which win; script and arguments.

    `name` is the job's, `output` the chain's folder, `after` what it waits for (`dependencies`), `code` the folder with
    the code that it runs.
    """
    has_log = any(option.startswith("--output=") for option in part.options)
    log = [] if has_log else [f"--output={str(output / LOGS).replace('%', '%%')}/{stage.name}-%j.log"]
    chains = [f"--job-name={name}", "--export=ALL", "--kill-on-invalid-dep=yes"]
    chains += [f"--dependency={after}"] if after else []
    arguments = [f"{code}/{word.removeprefix(CODE)}" if word.startswith(CODE) else word for word in part.arguments]
    return [*stage.options, *log, *part.options, *chains, f"{code}/cluster/slurm/{part.script}", *arguments]


def dependencies(stage: Stage, waiting: Mapping[str, Sequence[str]]) -> str:
    """What a stage waits for, as sbatch writes it: `afterok:15:16`. `waiting`: jobs by name of stage."""
    clauses: dict[str, list[str]] = {}
    for name, wait in stage.needs.items():
        clauses.setdefault(wait, []).extend(waiting.get(name, ()))
    return ",".join(f"{wait}:{':'.join(numbers)}" for wait, numbers in clauses.items() if numbers)


def with_parts(after: str, part: Part, numbers: Sequence[str]) -> str:
    """What a part waits for: what its stage does, and the parts before it that it names, whose jobs are `numbers`."""
    own = f"{part.wait}:{':'.join(numbers[place] for place in part.after)}" if part.after else ""
    return ",".join(clause for clause in (after, own) if clause)
