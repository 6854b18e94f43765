"""The side of transformers: its `Trainer` on the same token ids, scored by the same code."""

from __future__ import annotations

import dataclasses
import math
import tempfile
from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
import transformers
from numpy.typing import NDArray
from transformers import PrinterCallback, Trainer, TrainerCallback, TrainingArguments
from transformers.models.bert import modeling_bert

from benchmarks.finetuning.clock import Clock
from benchmarks.finetuning.sample import read_both
from finetuning.errors import FinetuningError
from finetuning.kinds.encoding.layout import UNLABELLED, EncodedSplit
from finetuning.kinds.loading import kind_of, load_task
from finetuning.kinds.scoring import decode, labels_of
from finetuning.run.engine import merge_by_item
from finetuning.run.schedule import learning_rate_at
from finetuning.run.specification import RunSpec
from preprocessing.tokens.tokenizer import Tokenizer

KINDS = ("classification", "regression", "token", "span")
"""What `Records` can hand over."""


def theirs(spec: RunSpec, clock: Clock) -> float:
    """The dev score of a run by the `Trainer`; `clock` times its loop alone.

    Raises:
        FinetuningError: wrong data, or a kind of task that is not compared.
    """
    task = load_task(spec.task)
    kind = kind_of(task)
    if kind.name not in KINDS:
        raise FinetuningError(f"{task.name}: {kind.name} tasks are not compared, only {', '.join(KINDS)}")
    if spec.data is None:
        raise FinetuningError(f"{task.name}: name the folder of its files")
    rows, scored = read_both(task, spec.data)
    labels, _ = labels_of(task, {"train": rows, task.dev[0]: scored})
    tokenizer = Tokenizer.load(spec.model)
    length = spec.sequence_length or task.sequence_length
    train, dev = (kind.encode(task, split.rows, tokenizer, labels, length) for split in (rows, scored))
    with tempfile.TemporaryDirectory() as folder:
        trainer = trainer_for(spec, kind.architecture, kind.outputs(len(labels)), train, folder)
        trainer.add_callback(_timing(clock))
        trainer.train()
        logits = predicted(trainer, dev)
    answers = decode(task, labels, scored.rows, dev, logits)
    return kind.score(task, scored.rows, answers)[task.metric]


def trainer_for(spec: RunSpec, architecture: str, outputs: int, train: EncodedSplit, folder: str) -> Trainer:
    """A `Trainer` that will train by the recipe of `spec`; its head is drawn from the seed here.

    Args:
        spec: the recipe.
        architecture: the class of transformers.
        outputs: width of the head.
        train: the training split.
        folder: where it may write.
    """
    transformers.utils.logging.set_verbosity_error()
    transformers.utils.logging.disable_progress_bar()
    transformers.set_seed(spec.seed)
    names = ("hidden_dropout_prob", "attention_probs_dropout_prob", "classifier_dropout")
    dropout = {} if spec.dropout is None else dict.fromkeys(names, spec.dropout)
    model = getattr(modeling_bert, architecture).from_pretrained(spec.model, num_labels=outputs, **dropout)
    arguments = TrainingArguments(
        output_dir=folder,
        learning_rate=spec.learning_rate,
        per_device_train_batch_size=spec.batch_size,
        per_device_eval_batch_size=spec.batch_size,
        num_train_epochs=spec.epochs,
        weight_decay=spec.weight_decay,
        adam_beta1=spec.adam_beta1,
        adam_beta2=spec.adam_beta2,
        adam_epsilon=spec.adam_epsilon,
        max_grad_norm=spec.gradient_clip,
        seed=spec.seed,
        save_strategy="no",
        logging_strategy="no",
        report_to="none",
        disable_tqdm=True,
        use_cpu=spec.device == "cpu",
        dataloader_pin_memory=False,
        **_grouping(grouped=spec.group_by_length),
    )
    trainer = Trainer(model, arguments, train_dataset=Records(train), data_collator=pad)
    # Its own linear schedule spends the first step at rate zero, which shows in runs this short: take ours.
    steps = math.ceil(math.ceil(train.items / spec.batch_size) * spec.epochs)
    trainer.lr_scheduler = torch.optim.lr_scheduler.LambdaLR(
        trainer.create_optimizer(),
        lambda step: learning_rate_at(min(step + 1, steps), steps, 1.0, spec.warmup_share),
    )
    # The last line of the output is to be the benchmark's.
    trainer.remove_callback(PrinterCallback)
    return trainer


def predicted(trainer: Trainer, split: EncodedSplit) -> NDArray[np.float32]:
    """Flat logits of a whole split in its order, as `decode` takes them."""
    # Grouping by length would reorder what is predicted too, and the logits would belong to other rows.
    for name, value in _grouping(grouped=False).items():
        setattr(trainer.args, name, value)
    output: Any = trainer.predict(Records(split)).predictions
    if split.context is not None:
        start, end = output[:2]
        rows = [np.stack([start[n, :length], end[n, :length]], 1) for n, length in enumerate(split.lengths_i)]
        return merge_by_item([(np.arange(split.items), np.concatenate(rows))], split.lengths_i)
    if split.words is None:
        logits = np.asarray(output, np.float32)
        # A head of one output is regression, whose logits have no second axis.
        return logits[:, 0] if logits.shape[1] == 1 else logits
    edges, places = split.words.offsets_s, split.words.position_w
    return np.concatenate([output[n, places[edges[n] : edges[n + 1]]] for n in range(split.items)])


class Records(torch.utils.data.Dataset[dict[str, Any]]):
    """An encoded split as transformers wants it: a dictionary for each sequence."""

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
            record["labels"] = np.full(high - low, UNLABELLED, np.int64)
            record["labels"][split.words.position_w[words]] = split.labels[words]
        else:
            record["labels"] = split.labels[index].item()
        return record


def pad(records: Sequence[dict[str, Any]]) -> dict[str, torch.Tensor]:
    """Pad to the longest of the batch, as `DataCollatorWithPadding` does."""
    longest = max(len(record["input_ids"]) for record in records)
    batch: dict[str, torch.Tensor] = {}
    for key, value in records[0].items():
        if not isinstance(value, np.ndarray):
            batch[key] = torch.tensor([record[key] for record in records])
            continue
        padded = np.full((len(records), longest), UNLABELLED if key == "labels" else 0, np.int64)
        for row, record in enumerate(records):
            padded[row, : len(record[key])] = record[key]
        batch[key] = torch.from_numpy(padded)
    return batch


def _grouping(*, grouped: bool) -> dict[str, Any]:
    """The argument that groups training rows by length; transformers 5 renamed it."""
    names = {field.name for field in dataclasses.fields(TrainingArguments)}
    if "train_sampling_strategy" in names:
        return {"train_sampling_strategy": "group_by_length" if grouped else "random"}
    return {"group_by_length": grouped}


def _timing(clock: Clock) -> TrainerCallback:
    class Timing(TrainerCallback):
        def on_train_begin(self, *_: Any, **__: Any) -> None:
            clock.start()

        def on_train_end(self, *_: Any, **__: Any) -> None:
            clock.stop()

    return Timing()
