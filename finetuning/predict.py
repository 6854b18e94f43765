"""Answers of a fine-tuned model: to new text, or to a split of a benchmark.

python -m finetuning.predict --model RUN --input new.jsonl --output answers.jsonl
python -m finetuning.predict --model MNLI_RUN --task ax --data glue_data --output FOLDER
"""

from __future__ import annotations

import argparse
import json
import logging
import sys
from collections.abc import Sequence
from pathlib import Path

from finetuning.atomic_file import write_json
from finetuning.errors import FinetuningError, ended_by
from finetuning.kinds.encoding import encode
from finetuning.kinds.predictions import Prediction, decode, score, write_predictions
from finetuning.run.benchmark_files import write_benchmark_files
from finetuning.run.checkpoint import FineTuned, load_fine_tuned
from finetuning.run.engine import Ranks, start_ranks
from finetuning.run.loop import predict
from finetuning.run.result import RunSpec
from finetuning.tasks.readers.plain import read_new
from finetuning.tasks.readers.splits import read_split
from finetuning.tasks.rows import Row, SplitRows
from finetuning.tasks.task import load_task


def answer(fine_tuned: FineTuned, rows: Sequence[Row], ranks: Ranks, spec: RunSpec) -> list[Prediction]:
    """Answers to rows of the model's task, one for each, in order."""
    split = SplitRows("new", tuple(rows), labelled=False)
    encoded = encode(fine_tuned.task, split, fine_tuned.tokenizer, fine_tuned.labels, fine_tuned.max_length)
    logits = predict(fine_tuned.model.to(ranks.device), encoded, spec, ranks)
    return decode(fine_tuned.task, fine_tuned.labels, rows, encoded, logits)


def answer_file(model: Path, source: Path, output: Path, *, device: str = "auto", threads: int | None = None) -> int:
    """Answer every row of a file and write one JSON object per row; returns the number of rows.

    The file: the task's own format, JSONL or TSV with its column names (or `text_a`, `text_b`, `words`, `question`,
    `context`, …), or `.txt` with one text per line, the two texts of a pair separated by a tab.

    Raises:
        FinetuningError: no fine-tuned model there, or the file does not fit its task.
    """
    fine_tuned = load_fine_tuned(model)
    spec = _specification(model, output, device, threads)
    rows = read_new(fine_tuned.task, source)
    write_predictions(output, answer(fine_tuned, rows, start_ranks(spec), spec))
    return len(rows)


def answer_task(
    model: Path, name: str, data: Path | None, output: Path, *, device: str = "auto", threads: int | None = None
) -> dict[str, dict[str, float]]:
    """Answer the dev and test splits of a task with a model that may have been trained on another (AX by MNLI).

    Writes `predictions-SPLIT.jsonl`, the benchmark's own files, and `scores.json`; returns the scores by split.

    Raises:
        FinetuningError: the model's kind or labels are not the task's, or no split is there.
    """
    fine_tuned = load_fine_tuned(model)
    spec = _specification(model, output, device, threads)
    task = load_task(name)
    if task.kind != fine_tuned.task.kind or (task.labels and set(task.labels) != set(fine_tuned.labels)):
        raise FinetuningError(
            f"{model}: trained on {fine_tuned.task.name} ({fine_tuned.task.kind}: {', '.join(fine_tuned.labels)}) "
            f"and cannot answer {task.name} ({task.kind}: {', '.join(task.labels)})"
        )
    scores: dict[str, dict[str, float]] = {}
    answered = False
    for split_name in (*task.dev, *task.test):
        split = read_split(task, split_name, data)
        if split is None:
            continue
        predictions = answer(fine_tuned, split.rows, start_ranks(spec), spec)
        write_predictions(output / f"predictions-{split_name}.jsonl", predictions)
        write_benchmark_files(output, task, split_name, predictions)
        if split.labelled:
            scores[split_name] = score(task, split.rows, predictions)
        answered = True
    if not answered:
        raise FinetuningError(f"{data}: holds no split of {task.name}; set --data to the folder that has its files")
    write_json(output / "scores.json", scores)
    return scores


def _specification(model: Path, output: Path, device: str, threads: int | None) -> RunSpec:
    values = {"task": "", "model": str(model), "output": output, "device": device, "threads": threads}
    return RunSpec.from_options(values)


def main(argv: Sequence[str] | None = None) -> int:
    """Command line; returns the exit code."""
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(message)s")
    parser = argparse.ArgumentParser(prog="python -m finetuning.predict", description=(__doc__ or "").split("\n")[0])
    parser.add_argument(
        "--model", type=Path, required=True, help="run folder with a saved model, or the model's folder"
    )
    parser.add_argument("--input", type=Path, help="file with new text")
    parser.add_argument("--task", help="a task's name or .toml file: answer its splits")
    parser.add_argument("--data", type=Path, help="with --task: folder of its files (left out: the hub)")
    parser.add_argument("--output", type=Path, required=True, help="JSONL file; with --task a folder")
    parser.add_argument("--device", default="auto")
    parser.add_argument("--threads", type=int)
    options = parser.parse_args(argv)
    try:
        if (options.input is None) == (options.task is None):
            raise FinetuningError("give either --input FILE or --task NAME")
        where = {"device": options.device, "threads": options.threads}
        if options.input is not None:
            count = answer_file(options.model, options.input, options.output, **where)
            print(f"{count} answers in {options.output}")
        else:
            print(json.dumps(answer_task(options.model, options.task, options.data, options.output, **where)))
    except (FinetuningError, OSError) as error:
        return ended_by(error)
    return 0


if __name__ == "__main__":
    sys.exit(main())
