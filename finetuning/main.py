"""One fine-tuning run from the command line.

python -m finetuning.main --task cola --data glue_data --model FOLDER --output RUN
deepspeed --num_gpus 4 finetuning/main.py --task mnli --data glue_data --model FOLDER --output RUN
"""

from __future__ import annotations

import sys
from pathlib import Path

# Run as a file, as the deepspeed launcher does, Python looks into this folder first, where `statistics` and others
# hide modules of the standard library from everything that is imported later.
if sys.path and Path(sys.path[0]).resolve() == Path(__file__).resolve().parent:
    sys.path[0] = str(Path(__file__).resolve().parent.parent)

import argparse
import logging
from collections.abc import Sequence
from typing import Any, get_args

from finetuning.errors import FinetuningError, ended_by
from finetuning.run.result import Result, RunSpec
from finetuning.tasks.task import task_names


def argument_parser() -> argparse.ArgumentParser:
    """One option for each field of `RunSpec`, its description and default taken from there."""
    parser = argparse.ArgumentParser(
        prog="python -m finetuning.main",
        description="Fine-tune BERT on one task, once. Writes OUTPUT/result.json last.",
        epilog=f"Tasks: {', '.join(task_names())}, or the path of a task's .toml file.",
        allow_abbrev=False,
    )
    for name, field in RunSpec.model_fields.items():
        option = f"--{name.replace('_', '-')}"
        text = (field.description or "").replace("%", "%%")
        kind = next(part for part in (*get_args(field.annotation), field.annotation) if part is not type(None))
        if field.annotation is bool:
            parser.add_argument(option, action=argparse.BooleanOptionalAction, default=argparse.SUPPRESS, help=text)
            continue
        default = "" if field.is_required() or field.default is None else f" [{field.default}]"
        parser.add_argument(
            option,
            required=field.is_required(),
            default=argparse.SUPPRESS,
            metavar={int: "N", float: "X", Path: "PATH"}.get(kind, name.upper()),
            help=f"{text}{default}",
        )
    # The deepspeed launcher passes it; the environment says the same.
    parser.add_argument("--local_rank", help=argparse.SUPPRESS, default=argparse.SUPPRESS)
    return parser


def parse_spec(argv: Sequence[str] | None = None) -> RunSpec:
    """The specification that a command line asks for.

    Raises:
        FinetuningError: a value is not allowed; the message names the option.
    """
    values: dict[str, Any] = vars(argument_parser().parse_args(argv))
    values.pop("local_rank", None)
    return RunSpec.from_options(values)


def main(argv: Sequence[str] | None = None) -> int:
    """Run and print one line with the score; returns the exit code."""
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(message)s")
    try:
        spec = parse_spec(argv)
        Result.refuse_finished(spec.output)
        # Late: the help and a wrong option need no torch.
        from finetuning.run.finetune import run

        result = run(spec)
    except (FinetuningError, OSError) as error:
        return ended_by(error)
    print(
        f"{result.task}: {result.metric} {result.score:.4f} (majority {result.majority_score:.4f}) "
        f"on {result.dev_rows} rows, {result.seconds_per_epoch:.1f} s an epoch, {result.seconds:.1f} s in all"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
