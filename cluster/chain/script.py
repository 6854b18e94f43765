"""A submission as a bash script: what would be done, to be read, or to be done by hand."""

import re
import shlex
from collections.abc import Mapping, Sequence

from cluster.chain.jobs import LOGS, dependencies, job_words, with_parts
from cluster.chain.plan import Decision
from cluster.chain.record import Record
from cluster.chain.road import Chain
from cluster.chain.stages import Part
from cluster.chain.submission import CODES

_CODE = "CODE_FOLDER@"
_JOB = re.compile(r"@(\w+)@")


def as_script(chain: Chain, record: Record, links: Sequence[tuple[Decision, Sequence[Part]]]) -> str:
    """The commands that `submit_chain` would run, quoted; a number of a job that is not yet there is a variable."""
    lines = [
        "set -euo pipefail",
        f"CODE_FOLDER=$(python -m cluster.snapshot {shlex.quote(str(chain.output / CODES))})",
        shlex.join(["export", "CODE_FOLDER", *(f"{name}={value}" for name, value in chain.variables.items())]),
        shlex.join(["mkdir", "-p", str(chain.output / LOGS)]),
    ]
    waiting: dict[str, list[str]] = {}
    for decision, parts in links:
        stage = decision.stage
        if decision.cancel:
            lines.append(shlex.join(["scancel", *decision.cancel]))
        if decision.what != "submit":
            waiting[stage.name] = list(decision.jobs)
            jobs = f", job {' '.join(decision.jobs)}" if decision.jobs else ""
            lines.append(f"# {stage.name}: {decision.what}{jobs}")
            continue
        if stage.marker is not None:
            lines.append(shlex.join(["rm", "-f", str(stage.marker)]))
        if stage.prepare:
            lines.append(f"{shlex.join(stage.prepare)} >/dev/null")
        names = [f"{stage.name}{place or ''}" for place in range(len(parts))]
        after = dependencies(stage, waiting)
        for place, part in enumerate(parts):
            waits = with_parts(after, part, [f"@{name}@" for name in names])
            words = job_words(stage, part, record.name_of(stage.name, place), chain.output, waits, _CODE)
            lines.append(f"{names[place]}=$({_command(stage.variables, words)})")
        waiting[stage.name] = [f"@{name}@" for name in names]
    if not any(parts for _, parts in links):
        lines = [line for line in lines if line.startswith("#")]
    return "\n".join(lines)


def _command(variables: Mapping[str, str], words: Sequence[str]) -> str:
    given = [f"{name}={shlex.quote(value)}" for name, value in variables.items()]
    return " ".join([*given, "sbatch", "--parsable", *map(_quoted, words)])


def _quoted(word: str) -> str:
    if word.startswith(_CODE):
        return f'"$CODE_FOLDER"{shlex.quote(word.removeprefix(_CODE))}'
    if word.startswith("--dependency="):
        return _JOB.sub(r'"${\1%%;*}"', word)  # `4711;cluster` where there are several clusters
    return shlex.quote(word)
