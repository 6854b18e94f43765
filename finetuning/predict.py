"""Answers of a fine-tuned model: to new text, or to a split of a benchmark.

python -m finetuning.predict --model RUN --input new.jsonl --output answers.jsonl
cat new.csv | python -m finetuning.predict --model RUN --input - --format csv --output -
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
from preprocessing.arguments import OptionParser, build_model, end_unread
from preprocessing.progress import add_quiet, progress_of

STREAM = "-"
"""Standard input or output, where a file's name could stand."""


def option_parser() -> OptionParser:
    """The options of this command."""
    parser = OptionParser("python -m finetuning.predict", (__doc__ or "").split("\n")[0], FinetuningError)
    parser.add_argument("--model", type=Path, required=True, help="run with a saved model, or the model's folder")
    parser.add_argument(
        "--input", metavar="FILE", help="file with new text, in the form of the task's rows; - for standard input"
    )
    parser.add_argument(
        "--format",
        choices=("txt", "jsonl", "csv", "tsv", "parquet", "json", "conll"),
        help="how --input is written, where its name does not end so (json: as SQuAD's files)",
    )
    parser.add_argument("--task", help="instead of --input: a task's name or .toml file, whose splits are answered")
    parser.add_argument("--data", type=Path, help="with --task: folder of its files; left out: the Hugging Face hub")
    parser.add_argument(
        "--output",
        required=True,
        metavar="FILE",
        help="JSONL file to write, - for standard output; with --task a folder",
    )
    add_length(parser, "that of training")
    parser.add_argument("--device", default="auto", help="where the model runs: auto, cpu, cuda, cuda:1, …")
    parser.add_argument(
        "--threads", type=int, metavar="N", help="threads of torch on the CPU; left out: torch's own choice"
    )
    add_quiet(parser)
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Command line; returns the exit code."""
    show_log()
    try:
        options = option_parser().parse_args(argv)
        show_log(quiet=options.quiet)
        progress = progress_of(options)
        _check(options)
        asked = {"task": options.task or "", "model": str(options.model), "output": options.output}
        asked |= {"device": options.device, "threads": options.threads, "precision": "fp32"}
        asked |= {"sequence_length": options.sequence_length} if "sequence_length" in options else {}
        spec = build_model(RunSpec, argparse.Namespace(**asked), FinetuningError)
        # Late: the help and a wrong option need no torch.
        from finetuning.run.answers import answer_file, answer_task
        from finetuning.tasks.readers.lines import STANDARD_INPUT

        if options.input is not None:
            source = STANDARD_INPUT if options.input == STREAM else Path(options.input)
            output = None if options.output == STREAM else Path(options.output)
            suffix = None if options.format is None else f".{options.format}"
            count = answer_file(options.model, source, output, spec, suffix, progress)
            # Among the answers, a line that is none would break what reads them.
            print(f"{count} answers in {output or 'standard output'}", file=sys.stdout if output else sys.stderr)
        else:
            output = Path(options.output)
            print(json.dumps(answer_task(options.model, options.task, options.data, output, spec, progress)))
        sys.stdout.flush()
    except BrokenPipeError:
        return end_unread()
    except (FinetuningError, OSError) as error:
        return ended_by(error)
    return 0


def _check(options: argparse.Namespace) -> None:
    """FinetuningError where options do not go together."""
    if (options.input is None) == (options.task is None):
        raise FinetuningError("give either --input FILE or --task NAME")
    if options.input == STREAM and options.format is None:
        raise FinetuningError("--input -: standard input has no name that says how it is written; add --format")
    if options.input is None and options.format is not None:
        raise FinetuningError("--format says how --input is written; with --task leave it out")
    if options.task is not None and options.output == STREAM:
        raise FinetuningError("--output -: with --task several files are written; give a folder")


if __name__ == "__main__":
    sys.exit(main())
