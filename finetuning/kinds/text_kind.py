"""What the kinds have in common whose rows are one text, or two."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from typing import Protocol, TypeVar

import numpy as np
from numpy.typing import NDArray

from finetuning.kinds.encoding.layout import EncodedSplit
from finetuning.kinds.encoding.texts import encode_texts
from finetuning.kinds.protocol import Kind
from finetuning.kinds.rows import Row
from finetuning.tasks.records import Record
from finetuning.tasks.task import Task
from preprocessing.tokens.tokenizer import Tokenizer


class Texts(Row, Protocol):
    """A row with a text, and maybe a second."""

    @property
    def text_a(self) -> str: ...

    @property
    def text_b(self) -> str | None: ...


AnyTexts = TypeVar("AnyTexts", bound=Texts)


class TextKind(Kind[AnyTexts]):
    """One or two texts, answered from the pooled [CLS]; `transformers` calls it sequence classification."""

    formats = ("tsv", "csv", "jsonl", "parquet")
    required = frozenset({"text_a", "label"})
    optional = frozenset({"text_b", "id"})
    new_roles = ("text_a",)
    further_roles = ("text_b", "id")
    architecture = "BertForSequenceClassification"

    def line_roles(self, task: Task) -> tuple[str, ...]:
        return ("text_a", "text_b") if task.is_pair else ("text_a",)

    def encode(
        self,
        task: Task,
        rows: Sequence[AnyTexts],
        tokenizer: Tokenizer,
        labels: Sequence[str],
        sequence_length: int,
    ) -> EncodedSplit:
        second = None if rows[0].text_b is None else [row.text_b or "" for row in rows]
        return encode_texts(
            [row.text_a for row in rows], second, tokenizer, sequence_length, self.targets(rows, labels)
        )

    @abstractmethod
    def targets(self, rows: Sequence[AnyTexts], labels: Sequence[str]) -> NDArray[np.int64] | NDArray[np.float32]:
        """[i, …] what is right for each row, as `loss_sum` takes it."""


def second_text(record: Record) -> str | None:
    """Text B of a record; None where no column has one."""
    return record.text("text_b") if "text_b" in record.columns else None
