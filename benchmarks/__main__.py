"""All benchmarks of the CPU, and what they found, with machine and versions.

    python -m benchmarks                 benchmarks/RESULTS.md and benchmarks/results.json
    python -m benchmarks --only loader   this one, or several; runs/benchmarks/
    python -m benchmarks --quick         shows in minutes that they run; its figures say nothing; runs/benchmarks/

Each runs in a process of its own, once, and then all again, as long as `--minutes` last: at most `--runs` times.
Medians and spreads are over these runs. What is measured is said by each benchmark itself. One that fails is named, the
others go on, and the exit code is 1. Run it on a machine that does nothing else.
"""

import datetime
import shlex
import signal
import sys
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from benchmarks.suite.cases import CASES, Case
from finetuning.atomic_file import write_json, write_text
from preprocessing.arguments import OptionParser, add_models, build_model
from preprocessing.errors import PreprocessingError

KEPT = Path(__file__).parent
PASSING = Path("runs/benchmarks")
_INTERRUPTED = 75


class Options(BaseModel):
    """What is run, and for how long."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    only: tuple[str, ...] = Field((), description="run these benchmarks alone")
    quick: bool = Field(False, description="show in minutes that the benchmarks run")
    minutes: float = Field(60.0, gt=0, description="how long all of it may take")
    runs: int = Field(3, ge=1, description="runs of each benchmark at most")
    threads: int = Field(1, ge=1, description="threads of both sides of a comparison, where a benchmark says nothing")
    output: Path | None = Field(
        None, description="folder of the results (default: benchmarks/; runs/benchmarks/ with --only or --quick)"
    )
    data: str = Field("", description="folder of data sets to fine-tune on, for the benchmark finetuning")
    texts: str = Field("", description="folder of books (*.txt) and dumps (*.bz2), for the benchmark sources")
    rules: str = Field("", description="folder of golden rules, for the benchmark sentences")
    translations: str = Field("", description="folder of packages with translations, for the benchmark encodings")

    @property
    def folder(self) -> Path:
        """Where the results go: figures of a part or of nothing never replace those of all."""
        return self.output or (PASSING if self.quick or self.only else KEPT)


def chosen(options: Options) -> tuple[list[Case], dict[str, str]]:
    """The cases to run, and why others are left out.

    Raises:
        PreprocessingError: a name that is none.
    """
    known = [case.name for case in CASES]
    for name in options.only:
        if name not in known:
            raise PreprocessingError(f"--only {name}: there is no such benchmark; known: {', '.join(known)}")
    left_out = {}
    cases = []
    for case in CASES:
        if options.only and case.name not in options.only:
            continue
        if case.needs and not getattr(options, case.needs):
            left_out[case.name] = f"needs --{case.needs}"
        else:
            cases.append(case)
    return cases, left_out


def measure(options: Options, command: str) -> dict[str, Any]:
    """Runs what was chosen; the content of the JSON file."""
    from benchmarks.suite.execution import Round, execute, one_thread
    from benchmarks.suite.machine import machine, versions
    from benchmarks.suite.results import record_of

    cases, left_out = chosen(options)
    begin, where = time.monotonic(), machine()
    found: dict[str, list[Round]] = {case.name: [] for case in cases}

    def left() -> float:
        return options.minutes * 60 - (time.monotonic() - begin)

    def words(case: Case) -> tuple[str, ...]:
        return case.words(quick=options.quick, given=getattr(options, case.needs) if case.needs else "")

    for case in _in_rounds(cases, 1 if options.quick else options.runs):
        before = found[case.name]
        if before and (before[-1].failure or before[-1].seconds > left()):
            continue
        if left() <= 0:
            before.append(Round(0.0, 0.0, 0, None, "", f"not begun: {options.minutes:g} minutes were over"))
            continue
        one = execute(words(case), one_thread(options.threads), left())
        before.append(one)
        _say(f"{case.name}: {one.failure or f'{one.seconds:.1f} s'} (run {len(before)})")
    return {
        "made": {
            "command": command,
            "date": datetime.datetime.now(datetime.UTC).date().isoformat(),
            "seconds": round(time.monotonic() - begin, 1),
            "quick": options.quick,
            "threads": options.threads,
            "json": "results.json",
        },
        "machine": where,
        "load_at_end": machine()["load"],
        "versions": versions(),
        "left_out": left_out,
        "benchmarks": [record_of(case, words(case), found[case.name]) for case in cases],
    }


def _in_rounds(cases: Sequence[Case], runs: int) -> Iterator[Case]:
    """All cases, and then all again: what disturbs the machine for a while disturbs few runs of one."""
    for _ in range(runs):
        yield from cases


def _say(line: str) -> None:
    print(line, file=sys.stderr, flush=True)


def main(argv: Sequence[str] | None = None) -> int:
    """Command line; returns the exit code: 0, 1 where a benchmark failed, 2 after a mistake in the options."""
    parser = OptionParser("python -m benchmarks", (__doc__ or "").split("\n")[0])
    add_models(parser, (Options,))
    given = list(sys.argv[1:] if argv is None else argv)
    try:
        options = build_model(Options, parser.parse_args(given), PreprocessingError)
        results = measure(options, shlex.join(["python", "-m", "benchmarks", *given]))
    except PreprocessingError as error:
        print(f"benchmarks: {error}", file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        print("benchmarks: interrupted; nothing was written", file=sys.stderr)
        return _INTERRUPTED
    from benchmarks.suite.results import markdown

    options.folder.mkdir(parents=True, exist_ok=True)
    write_json(options.folder / "results.json", results)
    print(write_text(options.folder / "RESULTS.md", markdown(results)))
    failed = [record["name"] for record in results["benchmarks"] if record["failure"]]
    if failed:
        print(f"benchmarks: failed: {', '.join(failed)}; {options.folder / 'RESULTS.md'} says why", file=sys.stderr)
    return 1 if failed else 0


if __name__ == "__main__":
    # Ends as Ctrl-C does, and takes the benchmark that runs along.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    sys.exit(main())
