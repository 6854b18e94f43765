"""How a build grows with its text, process by process; the last line is one JSON object.

    python -m benchmarks.build_growth [--times 1,4,16] [--workers 1,2]

The corpus is a real excerpt of Wikipedia, repeated with misspellings (`benchmarks.wikipedia_corpus`), in splits and
buckets of a sixteenth of the default sizes: the smallest corpus already fills several. The real `beam run` command is
watched from outside, ten times a second, so that a figure may lack the last tenth of a second of a process. For each
corpus and number of workers:

    text_mb          clean text in the build
    cpu_seconds      of all processes
    driver_seconds   CPU seconds of the driver; with one worker it does all the work itself
    worker_seconds   CPU seconds of the busiest worker
    driver_peak_mb   peak resident memory of the driver
    worker_peak_mb   the same of the largest worker
    wall_seconds     worth as much as the machine is idle

`speedup` of two workers is the CPU seconds of one worker's build over the driver's and the busiest worker's of theirs:
the wall clock's on idle cores, were all that the driver does in nobody's shadow.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import psutil

from benchmarks.command import benchmark_parser, published_vocabulary, run
from benchmarks.preprocessing import SMALL, clean_megabytes
from benchmarks.wikipedia_corpus import find_excerpt, write_dumps

_LOOK_SECONDS = 0.1
Figures = dict[str, float]


def watch(command: Sequence[str]) -> Figures:
    """Runs a command; CPU seconds and peak memory of its first process, of the busiest other one, and of all."""
    begin = time.perf_counter()
    started = psutil.Popen(command, stdout=subprocess.DEVNULL)
    seconds: dict[int, float] = {}
    peaks: dict[int, float] = {}
    while started.poll() is None:
        with suppress(psutil.Error):
            for process in (started, *started.children(recursive=True)):
                with suppress(psutil.Error, OSError):
                    used = process.cpu_times()
                    seconds[process.pid] = used.user + used.system
                    peaks[process.pid] = max(peaks.get(process.pid, 0), _peak_megabytes(process.pid))
        time.sleep(_LOOK_SECONDS)
    if started.returncode:
        raise SystemExit(f"{' '.join(command)} failed.")
    wall = time.perf_counter() - begin
    others = [pid for pid in seconds if pid != started.pid]
    return {
        "cpu_seconds": sum(seconds.values()),
        "driver_seconds": seconds[started.pid],
        "worker_seconds": max((seconds[pid] for pid in others), default=0.0),
        "driver_peak_mb": peaks[started.pid],
        "worker_peak_mb": max((peaks[pid] for pid in others), default=0.0),
        "wall_seconds": wall,
    }


def _peak_megabytes(pid: int) -> float:
    status = Path(f"/proc/{pid}/status").read_text()
    return float(status.split("VmHWM:")[1].split()[0]) * 1024 / 1e6 if "VmHWM:" in status else 0.0


def build_command(dumps: Sequence[Path], output: Path, workers: int) -> list[str]:
    """The build of both lengths at duplicate factor 5."""
    command = [str(Path(sys.executable).parent / "beam"), "run", "preprocessing/pipeline.py", "--engine", "local"]
    command += ["--wikipedia", *map(str, dumps), "--vocab", str(published_vocabulary()), "--output", str(output)]
    return [*command, "--workers", str(workers), "--sequence-lengths", "128,512", *SMALL]


def measure(times: Sequence[int], workers: Sequence[int], size: int) -> dict[str, Figures]:
    """Figures by corpus and number of workers, `16x/2` and so on, and prints them as they come."""
    found: dict[str, Figures] = {}
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary)
        dumps = write_dumps(find_excerpt(), folder, max(times), size)
        for count in times:
            for number in workers:
                output = folder / f"shards-{count}-{number}"
                figures = watch(build_command(dumps[:count], output, number))
                figures["text_mb"] = clean_megabytes(output)
                if number == 2 and f"{count}x/1" in found:
                    alone = found[f"{count}x/1"]["cpu_seconds"]
                    figures["speedup"] = alone / (figures["driver_seconds"] + figures["worker_seconds"])
                found[f"{count}x/{number}"] = {name: round(value, 2) for name, value in figures.items()}
                load = os.getloadavg()[0]
                print(f"{count}x text, workers {number}: {found[f'{count}x/{number}']}, load {load:.1f}", flush=True)
    return found


def main(argv: Sequence[str] | None = None) -> int:
    """Command line; returns the exit code."""
    parser = benchmark_parser("build_growth", __doc__)
    parser.add_argument("--times", default="1,4,16", help="sizes of the corpus, in dumps, with commas between")
    parser.add_argument("--workers", default="1,2", help="numbers of workers, with commas between")
    parser.add_argument("--size", type=int, default=3, help="copies of the excerpt's pages in each dump")
    return run(parser, compare, argv)


def compare(arguments: argparse.Namespace) -> None:
    """Measures and prints the figures."""
    times, workers = ([int(word) for word in text.split(",")] for text in (arguments.times, arguments.workers))
    print(json.dumps(measure(times, workers, arguments.size)))


if __name__ == "__main__":
    sys.exit(main())
