"""One fine-tuning run from the command line.

python -m finetuning.main --task cola --data glue_data --model FOLDER --output RUN
python -m finetuning.main --config run.toml --seed 2 --output RUN-2
deepspeed --num_gpus 4 finetuning/main.py --task mnli --data glue_data --model FOLDER --output RUN
"""

from __future__ import annotations

import sys
from pathlib import Path

# Run as a file, as the deepspeed launcher does, Python looks into this folder first, where a module would hide one of
# the same name from everything that is imported later.
if sys.path and Path(sys.path[0]).resolve() == Path(__file__).resolve().parent:
    sys.path[0] = str(Path(__file__).resolve().parent.parent)

import argparse
from collections.abc import Sequence

from finetuning.errors import EXIT_RETRY, INTERRUPTED, FinetuningError, ended_by, memory_shortage, show_log
from finetuning.run.result import Result
from finetuning.run.resume.interruption import interruption
from finetuning.run.specification import RunSpec
from finetuning.tasks.task import task_names
from preprocessing.arguments import OptionParser, add_models, build_model
from preprocessing.progress import add_quiet, progress_of


def option_parser() -> OptionParser:
    """One option for each field of `RunSpec`."""
    parser = OptionParser(
        "python -m finetuning.main",
        "Fine-tune BERT on one task, once. Writes OUTPUT/result.json last.",
        FinetuningError,
        epilog=f"Tasks: {', '.join(task_names())}, or the path of a task's .toml file.",
    )
    add_models(parser, (RunSpec,), config="a run")
    add_quiet(parser)
    # The deepspeed launcher passes it; the environment says the same.
    parser.add_argument("--local_rank", help=argparse.SUPPRESS, default=argparse.SUPPRESS)
    return parser


def parse_spec(argv: Sequence[str] | None = None) -> tuple[RunSpec, argparse.Namespace]:
    """The run that a command line asks for, and its other options; FinetuningError names an option that is wrong."""
    options = option_parser().parse_args(argv)
    return build_model(RunSpec, options, FinetuningError), options


def main(argv: Sequence[str] | None = None) -> int:
    """Run and print one line with the score; returns the exit code."""
    show_log()
    interruption.listen()  # early: a signal may come while torch is imported
    try:
        spec, options = parse_spec(argv)
        show_log(quiet=options.quiet)
        Result.refuse_finished(spec.output)
        # Late: the help and a wrong option need no torch.
        from finetuning.run.finetune import run

        result = run(spec, progress_of(options))
    except (FinetuningError, OSError) as error:
        return ended_by(error)
    except KeyboardInterrupt:
        print(INTERRUPTED, file=sys.stderr)
        return EXIT_RETRY
    except (RuntimeError, MemoryError) as error:
        if (shortage := memory_shortage(error)) is None:
            raise
        return ended_by(shortage)
    print(
        f"{result.task}: {result.metric} {result.score:.4f} ({result.beside_constant}) "
        f"on {result.dev_rows} rows, {result.seconds_per_epoch:.1f} s an epoch, {result.seconds:.1f} s in all"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
