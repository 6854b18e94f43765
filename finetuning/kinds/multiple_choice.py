"""Which ending continues a context: one score for each, softmax over them (Devlin et al. 2018, section 4.4: SWAG)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from finetuning.errors import FinetuningError
from finetuning.kinds.answers.predictions import Prediction, softmax
from finetuning.kinds.batches import Batch
from finetuning.kinds.encoding.layout import UNLABELLED, EncodedSplit
from finetuning.kinds.encoding.texts import encode_texts
from finetuning.kinds.metrics.definitions import accuracy
from finetuning.kinds.metrics.resampling import WeightedScore
from finetuning.kinds.metrics.weighted import weighted_class_metric
from finetuning.kinds.one_answer import OneAnswer
from finetuning.kinds.protocol import HeadDropout
from finetuning.kinds.rows import ChoiceRow
from finetuning.kinds.text_kind import second_text
from finetuning.tasks.records import Record
from finetuning.tasks.task import Task
from preprocessing.tokens.tokenizer import Tokenizer
from pretraining.model.bert import BertModel


class MultipleChoice(OneAnswer[ChoiceRow]):
    """One of some endings. Logits: [i, choices]; labels: [i] int64."""

    name = "choice"
    formats = ("jsonl", "parquet", "swag", "csv", "tsv")
    optional = frozenset({"id", "text_a", "text_b", "endings", "label"})
    new_roles = ("text_a", "endings")
    further_roles = ("text_b", "id")
    architecture = "BertForMultipleChoice"
    metrics = ("accuracy",)

    def row(self, task: Task, record: Record, labelled: bool) -> ChoiceRow:
        endings = _endings(record)
        if len(endings) != task.choices:
            raise FinetuningError(
                f"{record.place}: {len(endings)} endings where {task.name} has choices = {task.choices}"
            )
        label: int | None = None
        if labelled:
            value = str(record.get("label"))
            if value not in map(str, range(len(endings))):
                raise FinetuningError(f"{record.place}: label {value!r} is unknown; write 0 to {len(endings) - 1}")
            label = int(value)
        text_b = second_text(record) or ""
        return ChoiceRow(record.id, record.place, record.text("text_a"), text_b, endings, label)

    def encode(
        self,
        task: Task,
        rows: Sequence[ChoiceRow],
        tokenizer: Tokenizer,
        labels: Sequence[str],
        sequence_length: int,
    ) -> EncodedSplit:
        if wrong := [row for row in rows if len(row.endings) != task.choices]:
            raise FinetuningError(
                f"{wrong[0].place}: {len(wrong[0].endings)} endings where the task has {task.choices}"
            )
        return encode_texts(
            [row.text_a for row in rows for _ in row.endings],
            [f"{row.text_b} {ending}".strip() for row in rows for ending in row.endings],
            tokenizer,
            sequence_length,
            np.array([UNLABELLED if row.label is None else row.label for row in rows], np.int64),
            group=task.choices,
        )

    def outputs(self, classes: int) -> int:
        return 1

    def logits(self, encoder: BertModel, dropout: HeadDropout, head: nn.Linear, batch: Batch) -> Tensor:
        return super().logits(encoder, dropout, head, batch).view(len(batch.items), -1)

    def loss_sum(self, logits: Tensor, batch: Batch) -> Tensor:
        return F.cross_entropy(logits.float(), batch.labels, ignore_index=UNLABELLED, reduction="sum")

    def decode(
        self,
        task: Task,
        labels: Sequence[str],
        rows: Sequence[ChoiceRow],
        split: EncodedSplit,
        logits: NDArray[np.float32],
    ) -> list[Prediction]:
        return [
            Prediction(row.id, row.label, best, [round(float(p), 6) for p in share])
            for row, best, share in zip(rows, logits.argmax(1).tolist(), softmax(logits), strict=True)
        ]

    def score(self, task: Task, rows: Sequence[ChoiceRow], predictions: Sequence[Prediction]) -> dict[str, float]:
        return {"accuracy": accuracy([p.label for p in predictions], [p.prediction for p in predictions])}

    def weighted_score(self, task: Task, answers: Sequence[Prediction]) -> WeightedScore | None:
        return weighted_class_metric("accuracy", [p.label for p in answers], [p.prediction for p in answers], None)


def _endings(record: Record) -> tuple[str, ...]:
    """Of a column for each ending, as SWAG and tables have them, or of one column with a list of texts."""
    column = record.columns.get("endings", "endings")
    # On the hub a column is one name, and several stand in it with blanks between.
    names = column if isinstance(column, tuple) else tuple(str(column).split())
    if len(names) < 2:
        return record.texts("endings")
    endings = tuple(record.cell(str(name)) for name in names)
    if wrong := [ending for ending in endings if not isinstance(ending, str)]:
        raise FinetuningError(f"{record.place}: an ending is {wrong[0]!r:.60}, not a text; write a string")
    return endings


KIND = MultipleChoice()
