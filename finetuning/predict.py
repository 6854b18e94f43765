"""Answers of a fine-tuned model: to new text, or to a split of a benchmark.

python -m finetuning.predict --model RUN --input new.jsonl --output answers.jsonl
python -m finetuning.predict --model MNLI_RUN --task ax --data glue_data --output FOLDER
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

from finetuning.errors import FinetuningError, ended_by, show_log
from finetuning.run.specification import RunSpec, add_length
from preprocessing.arguments import OptionParser, build_model


def option_parser() -> OptionParser:
    """The options of this command."""
    parser = OptionParser("python -m finetuning.predict", (__doc__ or "").split("\n")[0], FinetuningError)
    parser.add_argument("--model", type=Path, required=True, help="run with a saved model, or the model's folder")
    parser.add_argument("--input", type=Path, help="file with new text, in the form of the task's rows")
    parser.add_argument("--task", help="instead of --input: a task's name or .toml file, whose splits are answered")
    parser.add_argument("--data", type=Path, help="with --task: folder of its files; left out: the Hugging Face hub")
    parser.add_argument("--output", type=Path, required=True, help="JSONL file to write; with --task a folder")
    add_length(parser, "that of training")
    parser.add_argument("--device", default="auto", help="where the model runs: auto, cpu, cuda, cuda:1, …")
    parser.add_argument(
        "--threads", type=int, metavar="N", help="threads of torch on the CPU; left out: torch's own choice"
    )
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Command line; returns the exit code."""
    show_log()
    try:
        options = option_parser().parse_args(argv)
        if (options.input is None) == (options.task is None):
            raise FinetuningError("give either --input FILE or --task NAME")
        asked = {"task": options.task or "", "model": str(options.model), "output": options.output}
        asked |= {"device": options.device, "threads": options.threads, "precision": "fp32"}
        asked |= {"sequence_length": options.sequence_length} if "sequence_length" in options else {}
        spec = build_model(RunSpec, argparse.Namespace(**asked), FinetuningError)
        # Late: the help and a wrong option need no torch.
        from finetuning.run.answers import answer_file, answer_task

        if options.input is not None:
            count = answer_file(options.model, options.input, options.output, spec)
            print(f"{count} answers in {options.output}")
        else:
            print(json.dumps(answer_task(options.model, options.task, options.data, options.output, spec)))
    except (FinetuningError, OSError) as error:
        return ended_by(error)
    return 0


if __name__ == "__main__":
    sys.exit(main())
