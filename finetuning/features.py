"""The feature-based approach (Devlin et al. 2018, section 5.3): hidden states of a frozen encoder, to Arrow.

python -m finetuning.features --model FOLDER --input text.txt --layers concat-last-four --level cls --output f.arrow
python -m finetuning.features --model FOLDER --task conll2003 --data DIR --split train --level word --output f.arrow
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from finetuning.errors import FinetuningError, ended_by, show_log
from finetuning.run.specification import RunSpec, add_context, add_length
from preprocessing.arguments import OptionParser, build_model
from preprocessing.progress import add_quiet, progress_of


def option_parser() -> OptionParser:
    """The options of this command."""
    parser = OptionParser("python -m finetuning.features", (__doc__ or "").split("\n")[0], FinetuningError)
    parser.add_argument("--model", required=True, help="any BERT folder, ours or Hugging Face's, fine-tuned or not")
    parser.add_argument("--input", type=Path, help="file with new text (.txt: one text per line)")
    parser.add_argument("--task", default="cola", help="a task: its rows are read, or with --input rows of its form")
    parser.add_argument("--data", type=Path, help="folder of the task's files; left out: the Hugging Face hub")
    parser.add_argument("--split", default="train", help="without --input: the split of the task to read")
    parser.add_argument(
        "--layers",
        default="last",
        help="which hidden states: embeddings, second-to-last, last, sum-last-four, concat-last-four, sum-all, "
        "concat-all, or layer:N (0: embeddings)",
    )
    parser.add_argument(
        "--level",
        choices=("cls", "mean", "word"),
        default="cls",
        help="one vector for a text ([CLS] or the mean of its pieces), or one for each word",
    )
    add_length(parser, "the task's own")
    add_context(parser)
    parser.add_argument("--output", type=Path, required=True, help="the Arrow file to write")
    parser.add_argument("--device", default="auto", help="where the encoder runs: auto, cpu, cuda, cuda:1, …")
    add_quiet(parser)
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Command line; returns the exit code."""
    show_log()
    try:
        options = option_parser().parse_args(argv)
        show_log(quiet=options.quiet)
        spec = build_model(RunSpec, options, FinetuningError)
        # Late: the help and a wrong option need no torch.
        from finetuning.run.features import read_rows, write_features
        from finetuning.run.ranks import start_ranks
        from finetuning.run.splits import task_of
        from finetuning.run.start import load_start

        task = task_of(spec)
        split = read_rows(task, options.input, options.data, options.split)
        ranks = start_ranks(spec)
        start = load_start(spec, task)
        made = write_features(
            options.output,
            split,
            start,
            task,
            options.layers,
            options.level,
            ranks.device,
            spec.sequence_length,
            progress_of(options),
        )
    except (FinetuningError, OSError) as error:
        return ended_by(error)
    print(f"{made.rows} rows, vectors of {made.width} in {options.output}; {made.truncation.truncated_rows} rows cut")
    return 0


if __name__ == "__main__":
    sys.exit(main())
