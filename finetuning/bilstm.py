"""Named entities from frozen features: a two-layer BiLSTM, a linear layer (Devlin et al. 2018, section 5.3, table 7).

python -m finetuning.bilstm --task conll2003 --data DIR --model FOLDER --layers concat-last-four --output RUN
python -m finetuning.bilstm --data DIR --model FOLDER --context document --layers table-7 --seeds 1,2,3 --output RUNS
"""

from __future__ import annotations

import argparse
import statistics
import sys
from collections.abc import Sequence
from pathlib import Path

from finetuning.errors import FinetuningError, ended_by, show_log
from finetuning.run.result import Result
from finetuning.run.specification import RunSpec, add_context, add_length
from preprocessing.arguments import OptionParser, build_model
from preprocessing.progress import add_quiet, progress_of

TABLE_7 = "table-7"
ROWS = (
    *("embeddings", "second-to-last", "last"),
    *("weighted-sum-last-four", "concat-last-four", "weighted-sum-all"),
)
"""The feature-based rows of table 7 of the paper, in its order."""


def option_parser() -> OptionParser:
    """The options of this command."""
    parser = OptionParser("python -m finetuning.bilstm", (__doc__ or "").split("\n")[0], FinetuningError)
    parser.add_argument("--task", default="conll2003", help="name or .toml file of a task that tags words")
    parser.add_argument("--data", type=Path, help="folder of the task's files; left out: the Hugging Face hub")
    parser.add_argument("--model", required=True, help="any BERT folder, ours or Hugging Face's, fine-tuned or not")
    parser.add_argument(
        "--output", type=Path, required=True, help="the run's folder; of several runs, the folder that theirs lie in"
    )
    parser.add_argument(
        "--layers",
        default="concat-last-four",
        help="which hidden states: embeddings, second-to-last, last, sum-last-four, concat-last-four, sum-all, "
        "concat-all, layer:N (0: embeddings); with weights that are learnt weighted-sum-last-four, weighted-sum-all; "
        "several with commas between, a run for each; table-7: the six rows of the paper",
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
    parser.add_argument(
        "--seeds",
        "--seed",
        default="1",
        metavar="N,N",
        help="seed of the first weights and of the order; several with commas between, a run for each",
    )
    add_length(parser, "the task's own")
    add_context(parser)
    parser.add_argument("--limit-train", type=int, metavar="N", help="only the first N training sentences")
    parser.add_argument("--limit-dev", type=int, metavar="N", help="only the first N sentences of every other split")
    parser.add_argument("--device", default="auto", help="where it runs: auto, cpu, cuda, cuda:1, …")
    add_quiet(parser)
    return parser


def specifications(options: argparse.Namespace) -> list[tuple[str, RunSpec]]:
    """Layers and specification of each run, in order: all seeds of the first layers, then of the next."""
    layers = list(ROWS) if options.layers == TABLE_7 else options.layers.split(",")
    seeds = options.seeds.split(",")
    for name, values in (("layers", layers), ("seeds", seeds)):
        if len(set(values)) < len(values):
            raise FinetuningError(f"--{name} {getattr(options, name)}: one stands there twice; name each once")
    common = vars(options).copy()
    output = common.pop("output")
    for name in ("layers", "seeds", "width", "dropout"):  # of the tagger: `RunSpec` has a dropout of the encoder
        del common[name]
    found = []
    for layer in layers:
        for seed in seeds:
            folder = output if len(layers) == len(seeds) == 1 else output / layer.replace(":", "-") / f"seed-{seed}"
            spec = build_model(RunSpec, argparse.Namespace(**common, seed=seed, output=folder), FinetuningError)
            found.append((layer, spec))
    if len({(layer, spec.seed) for layer, spec in found}) < len(found):  # 1 and 01
        raise FinetuningError(f"--seeds {options.seeds}: one stands there twice; name each once")
    return found


def finished(spec: RunSpec, name: str) -> Result | None:
    """The result of this run where it is there; FinetuningError where that of another run is, or of other
    inputs."""
    if not Result.exists(spec.output):
        return None
    result = Result.read(spec.output)
    same = {"device", "threads"}
    if result.spec.model_dump(exclude=same) != spec.model_dump(exclude=same) or not result.task.endswith(name):
        raise FinetuningError(
            f"{spec.output}: holds a run with other options; choose another --output or delete that folder"
        )
    result.refuse_changed_inputs()
    return result


def table(results: Sequence[tuple[str, Result]]) -> str:
    """Mean and standard deviation over seeds of each choice of layers, in percent, with the paper's figure beside."""
    from finetuning.reporting.published import published

    lines = ["layers                   seeds  dev F1         test F1        paper, dev (BERT-Base)"]
    for layers in dict.fromkeys(layers for layers, _ in results):
        mine = [result for name, result in results if name == layers]
        test = [result.metrics[f"test/{result.metric}"] for result in mine if f"test/{result.metric}" in result.metrics]
        paper = [figure.percent for figure in published(mine[0].task) if figure.metric == mine[0].metric]
        dev = _mean([result.score for result in mine])
        beside = f"{paper[0]:.1f}" if paper else "–"
        lines.append(f"{layers:<24} {len(mine):>5}  {dev:<13}  {_mean(test):<13}  {beside}")
    return "\n".join(lines)


def _mean(scores: Sequence[float]) -> str:
    if not scores:
        return "–"
    spread = f" ± {100 * statistics.stdev(scores):.1f}" if len(scores) > 1 else ""
    return f"{100 * statistics.fmean(scores):.1f}{spread}"


def main(argv: Sequence[str] | None = None) -> int:
    """Command line; returns the exit code."""
    show_log()
    try:
        options = option_parser().parse_args(argv)
        show_log(quiet=options.quiet)
        progress = progress_of(options)
        if "," not in options.layers + options.seeds and options.layers != TABLE_7:
            Result.refuse_finished(options.output)
        runs = specifications(options)
        # Late: the help and a wrong option need no torch.
        from finetuning.run.bilstm import BiLstmOptions, run_bilstm

        results = []
        for layers, spec in runs:
            tagger = BiLstmOptions(layers, options.width, options.dropout)
            results.append((layers, finished(spec, f"({tagger.text})") or run_bilstm(spec, tagger, progress)))
    except (FinetuningError, OSError) as error:
        return ended_by(error)
    if len(results) > 1:
        print(table(results))
    else:
        ((_, result),) = results
        print(f"{result.task}: {result.metric} {result.score:.4f} ({result.beside_constant})")
    return 0


if __name__ == "__main__":
    sys.exit(main())
