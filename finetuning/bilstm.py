"""Named entities from frozen features: a two-layer BiLSTM, a linear layer (Devlin et al. 2018, section 5.3, table 7).

python -m finetuning.bilstm --task conll2003 --data DIR --model FOLDER --layers concat-last-four --output RUN
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

from finetuning.errors import FinetuningError, ended_by, show_log
from finetuning.run.result import Result
from finetuning.run.specification import RunSpec, add_length
from preprocessing.arguments import OptionParser, build_model


def option_parser() -> OptionParser:
    """The options of this command."""
    parser = OptionParser("python -m finetuning.bilstm", (__doc__ or "").split("\n")[0], FinetuningError)
    parser.add_argument("--task", default="conll2003", help="name or .toml file of a task that tags words")
    parser.add_argument("--data", type=Path, help="folder of the task's files; left out: the Hugging Face hub")
    parser.add_argument("--model", required=True, help="any BERT folder, ours or Hugging Face's, fine-tuned or not")
    parser.add_argument("--output", type=Path, required=True, help="the run's folder")
    parser.add_argument(
        "--layers",
        default="concat-last-four",
        help="which hidden states: embeddings, second-to-last, last, sum-last-four, concat-last-four, sum-all, or "
        "layer:N (0: embeddings)",
    )
    parser.add_argument("--width", type=int, default=768, metavar="N", help="units of the LSTM in each direction")
    parser.add_argument(
        "--dropout", type=float, default=0.5, metavar="X", help="dropout of the tagger, not of the encoder"
    )
    parser.add_argument(
        "--learning-rate", type=float, default=1e-3, metavar="X", help="learning rate of Adam, constant"
    )
    parser.add_argument("--batch-size", type=int, default=32, metavar="N", help="sentences per step")
    parser.add_argument(
        "--epochs", type=float, default=10, metavar="N", help="passes over the training sentences, whole ones"
    )
    parser.add_argument("--seed", type=int, default=1, metavar="N", help="seed of the first weights and of the order")
    add_length(parser, "the task's own")
    parser.add_argument("--limit-train", type=int, metavar="N", help="only the first N training sentences")
    parser.add_argument("--limit-dev", type=int, metavar="N", help="only the first N sentences of every other split")
    parser.add_argument("--device", default="auto", help="where it runs: auto, cpu, cuda, cuda:1, …")
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Command line; returns the exit code."""
    show_log()
    try:
        options = option_parser().parse_args(argv)
        width, dropout = options.width, options.dropout
        del options.dropout  # of the tagger: `RunSpec` has one of the encoder
        spec = build_model(RunSpec, options, FinetuningError)
        Result.refuse_finished(spec.output)
        # Late: the help and a wrong option need no torch.
        from finetuning.run.bilstm import BiLstmOptions, run_bilstm

        result = run_bilstm(spec, BiLstmOptions(options.layers, width, dropout))
    except (FinetuningError, OSError) as error:
        return ended_by(error)
    print(f"{result.task}: {result.metric} {result.score:.4f} (majority {result.majority_score:.4f})")
    return 0


if __name__ == "__main__":
    sys.exit(main())
