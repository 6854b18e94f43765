"""What the project does on one GPU: `python -m benchmarks.gpu`, or `--dry` for the same with tiny sizes on the CPU.

From a plain checkout: torch, numpy and pydantic are enough; what needs more is skipped, and said. Each figure is
written at once to `figures.jsonl`, and `report.md` beside it is for people. A part that fails is noted and passed
over, and what there was no time for is said.
"""

import sys
import time
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path

try:
    import torch

    from benchmarks.gpu.attention_alone import attention_alone
    from benchmarks.gpu.bench import Bench
    from benchmarks.gpu.ceilings import ceilings
    from benchmarks.gpu.engine_step import engine_step
    from benchmarks.gpu.finetuning_step import finetuning_step
    from benchmarks.gpu.report import write_report
    from benchmarks.gpu.step_times import Competition, step_times
    from benchmarks.gpu.workload import Case
    from preprocessing.arguments import OptionParser
    from preprocessing.errors import PreprocessingError
except ModuleNotFoundError as missing:
    print(f"benchmarks.gpu needs {missing.name}: python -m pip install {missing.name}", file=sys.stderr)
    raise SystemExit(2) from None

LARGE, LARGE_LONG, BASE = Case("large", 128, 256), Case("large", 512, 64), Case("base", 128, 256)
FINETUNING, ALONE = Case("large", 128, 64), (Case("large", 128, 64), Case("large", 512, 16))
ENGINE = Case("large", 128, 256)


def parts(dry: bool) -> dict[str, tuple[float, Callable[[Bench], None]]]:
    """Seconds that each part may begin something new in, and what it does: the most telling first."""
    competition = Competition()

    def sized(case: Case) -> Case:
        return Case("mini" if case.size == "base" else "tiny", min(case.length // 4, 64), 2) if dry else case

    def steps(case: Case, *, fp8: bool = False) -> Callable[[Bench], None]:
        return lambda bench: step_times(bench, competition, sized(case), fp8=fp8)

    return {
        "ceilings": (30, ceilings),
        "large-128": (220, steps(LARGE, fp8=True)),
        "engine": (60, lambda bench: engine_step(bench, sized(ENGINE))),
        "large-512": (60, steps(LARGE_LONG, fp8=True)),
        "base-128": (120, steps(BASE)),
        "finetuning": (30, lambda bench: finetuning_step(bench, sized(FINETUNING))),
        "attention": (30, lambda bench: attention_alone(bench, tuple(sized(case) for case in ALONE))),
    }


def main(argv: Sequence[str] | None = None) -> int:
    """Command line; returns the exit code: 0, 1 when a part failed, 2 when nothing could begin."""
    parser = OptionParser("python -m benchmarks.gpu", "What the project does on one GPU, part by part.")
    names = tuple(parts(dry=True))
    parser.add_argument("--output", type=Path, default=Path("runs/gpu"), help="folder for figures.jsonl and report.md")
    text = f"measure this part only, and the ceilings; may be repeated. Parts: {', '.join(names)}"
    parser.add_argument("--only", metavar="PART", choices=names, action="append", help=text)
    parser.add_argument("--minutes", type=float, default=8.0, help="begin nothing new after so many (default: 8)")
    parser.add_argument("--dry", action="store_true", help="the same with tiny sizes on the CPU, to find mistakes")
    try:
        arguments = parser.parse_args(argv)
    except PreprocessingError as error:
        print(f"benchmarks.gpu: {error}", file=sys.stderr)
        return error.exit_code
    if not arguments.dry and not torch.cuda.is_available():
        print("benchmarks.gpu: torch sees no GPU here; say --dry to try the benchmark on the CPU", file=sys.stderr)
        return 2
    if arguments.dry:
        torch.set_num_threads(1)
    arguments.output.mkdir(parents=True, exist_ok=True)
    bench = Bench(arguments.output / "figures.jsonl", dry=arguments.dry, seconds=arguments.minutes * 60)
    report = arguments.output / "report.md"
    failed = False
    for name, (seconds, part) in parts(arguments.dry).items():
        if arguments.only and name not in (*arguments.only, "ceilings"):
            continue
        failed |= not _run(bench, name, seconds, part)
        report.write_text(write_report(bench.lines), encoding="utf-8")
    if torch.distributed.is_initialized():
        torch.distributed.destroy_process_group()
    print(report.read_text(encoding="utf-8"))
    return int(failed)


def _run(bench: Bench, name: str, seconds: float, part: Callable[[Bench], None]) -> bool:
    """False when the part failed."""
    if not bench.begin_part(seconds):
        bench.say("not reached", what=name)
        return True
    start = time.perf_counter()
    before = len(bench.lines)
    try:
        part(bench)
    except ModuleNotFoundError as missing:
        bench.say("skipped", what=name, why=f"{missing.name} is not installed")
    except Exception as error:
        bench.say(name, what=name, failed=repr(error)[:800])
        traceback.print_exc()
    bench.free()
    bench.say("timing", of=name, seconds=time.perf_counter() - start)
    return not any("failed" in line for line in bench.lines[before:])


if __name__ == "__main__":
    sys.exit(main())
