"""What lets a small model leave the unigram plateau: short runs that differ in one thing, on the same examples.

    python -m benchmarks.plateau --shards SHARDS --length 64 --seconds 60 --jobs 2 --output runs/plateau

Every run is a process of its own with one thread, and has the same processor seconds. A run that is done leaves a file
in `--output`, and the same command again does only what is missing.
"""

import json
import re
import subprocess
import sys
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from pathlib import Path

from benchmarks.plateau.settings import SETTINGS, Setting
from preprocessing.arguments import OptionParser, positive
from preprocessing.atomic_file import write_text
from preprocessing.errors import PreprocessingError
from pretraining.errors import PretrainingError


def main(argv: Sequence[str] | None = None) -> int:
    """Command line; returns the exit code."""
    parser = OptionParser("python -m benchmarks.plateau", (__doc__ or "").split("\n")[0], PretrainingError)
    text = "folder of a build with held-out examples"
    parser.add_argument("--shards", type=Path, required=True, metavar="FOLDER", help=text)
    text = "which of the shards' lengths, in pieces"
    parser.add_argument("--length", type=positive, default=64, metavar="N", help=text)
    text = "processor seconds of each run"
    parser.add_argument("--seconds", type=positive, default=60, metavar="N", help=text)
    parser.add_argument("--jobs", type=positive, default=2, metavar="N", help="runs at the same time")
    parser.add_argument("--only", metavar="TEXT", help="the runs whose name contains it")
    text = "folder of the runs that are done"
    parser.add_argument("--output", type=Path, default=Path("runs/plateau"), metavar="FOLDER", help=text)
    parser.add_argument("--one", metavar="NAME", help="train this run in this process, and write its curve")
    try:
        given = parser.parse_args(argv)
        if given.one:
            return _train(next(one for one in SETTINGS if one.name == given.one), given.shards, given)
        chosen = [one for one in SETTINGS if given.only is None or given.only in one.name]
        if not chosen:
            raise PretrainingError(f"--only {given.only}: no run is called so; the names are in settings.py")
        missing = [one for one in chosen if not _file(given.output, one).is_file()]
        with ThreadPoolExecutor(given.jobs) as pool:
            list(pool.map(lambda one: _start(one, argv if argv is not None else sys.argv[1:]), missing))
    except (PretrainingError, PreprocessingError) as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    from benchmarks.plateau.table import table
    from benchmarks.plateau.training import Point

    curves = {}
    for one in chosen:
        left = json.loads(_file(given.output, one).read_text())
        curves[one.name] = [Point(**point) for point in left["curve"]]
    print(table(curves))
    return 0


def _file(folder: Path, setting: Setting) -> Path:
    return folder / f"{re.sub('[^a-z0-9.-]+', '-', setting.name.lower()).strip('-')}.json"


def _start(setting: Setting, arguments: Sequence[str]) -> None:
    command = [sys.executable, "-m", "benchmarks.plateau", *arguments, "--one", setting.name]
    if subprocess.run(command, check=False).returncode:
        raise PretrainingError(f"the run {setting.name!r} failed; its message is above")


def _train(setting: Setting, shards: Path, given: object) -> int:
    from benchmarks.plateau.training import train

    options = vars(given)
    curve = train(setting, shards, options["seconds"], options["length"])
    content = {"setting": asdict(setting), "curve": [asdict(point) for point in curve]}
    file = _file(options["output"], setting)
    file.parent.mkdir(parents=True, exist_ok=True)
    write_text(file, json.dumps(content, indent=1) + "\n")
    print(f"{setting.name}: {curve[-1]}", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
