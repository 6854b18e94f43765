"""What the rest of fine-tuning asks of a kind of task.

A kind is one object without state, in a module of its own that calls it `KIND`; `registry.py` knows it by name. What
is not overridden is as most kinds have it: one answer for each item, from the pooled [CLS].

Shape letters: s sequences, i items, w words, t pieces, c classes, h width.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Hashable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, Generic, TypeVar

import numpy as np
from numpy.typing import NDArray
from torch import Tensor, nn

from finetuning.kinds.answers.benchmark_files import SUBMISSION_FOLDER, write_glue_file
from finetuning.kinds.answers.predictions import Prediction
from finetuning.kinds.batches import Batch
from finetuning.kinds.encoding.layout import EncodedSplit
from finetuning.kinds.metrics.resampling import WeightedScore
from finetuning.kinds.rows import Row
from finetuning.tasks.records import Columns, Record
from finetuning.tasks.task import Task
from preprocessing.tokens.tokenizer import Tokenizer
from pretraining.model.bert import BertModel

AnyRow = TypeVar("AnyRow", bound=Row)

HeadDropout = Callable[[Tensor, Tensor], Tensor]
"""Dropout before the head, of rows [n, h] with token_n: the piece of the batch that each row is of, whose draws it
takes."""


class Kind(ABC, Generic[AnyRow]):
    """A kind of task, from the columns of its files to the errors that a report shows."""

    name: ClassVar[str]
    """As a task file calls it."""

    # The task file and its data.
    formats: ClassVar[tuple[str, ...]]
    """Layouts that hold such tasks."""
    required: ClassVar[frozenset[str]] = frozenset()
    """Columns that a TSV or JSONL task must name."""
    optional: ClassVar[frozenset[str]] = frozenset()
    """Columns that it may name."""
    unique_ids: ClassVar[bool] = False
    """Whether answers are found again by their ids, as SQuAD's scorer does."""
    default_columns: ClassVar[Columns] = {}
    """The columns of data that name none."""
    class_role: ClassVar[str | None] = None
    """The role whose column has class numbers on the hub."""
    new_roles: ClassVar[tuple[str, ...]]
    """What a row of new text must have."""
    further_roles: ClassVar[tuple[str, ...]] = ("id",)
    """What it may have."""

    # The model.
    architecture: ClassVar[str]
    """The class of `transformers` with the same computation."""
    head: ClassVar[str] = "classifier"
    """What it calls its head."""
    uses_pooler: ClassVar[bool] = True
    """Whether the loss reaches the pooler."""
    has_words: ClassVar[bool] = False
    """Whether a row is a sequence of words, with one answer for each."""

    # The scores.
    metrics: ClassVar[tuple[str, ...]]
    """Names that `score` knows."""

    def check(self, task: Task) -> None:
        """ValueError for what only this kind asks of a task file."""

    @abstractmethod
    def row(self, task: Task, record: Record, labelled: bool) -> AnyRow:
        """The row of a record; FinetuningError, naming its place, where a value is wrong."""

    def check_rows(self, task: Task, rows: Sequence[AnyRow]) -> None:
        """FinetuningError for what a task asks of all rows of a split, which is learnt or scored."""

    def line_roles(self, task: Task) -> tuple[str, ...]:
        """What a line of a `.txt` file of new text holds, separated by tabs; none: there are no such files."""
        return ()

    def read_of(self, row: AnyRow) -> Hashable:
        """What the model reads of the row: equal where two rows are the same to it."""
        return row.shown

    def classes_in(self, row: AnyRow) -> Sequence[str]:
        """The class names that are right somewhere in the row; none for a kind without classes."""
        return ()

    def classes(self, task: Task, splits: Mapping[str, Sequence[AnyRow]]) -> tuple[str, ...]:
        """The classes in the order of the logits, `train` among `splits`; none for a kind without classes."""
        return ()

    def remarks(self, task: Task, labels: Sequence[str]) -> tuple[str, ...]:
        """What is remarkable about the classes, in words."""
        return ()

    @abstractmethod
    def encode(
        self,
        task: Task,
        rows: Sequence[AnyRow],
        tokenizer: Tokenizer,
        labels: Sequence[str],
        sequence_length: int,
    ) -> EncodedSplit:
        """The rows as token ids of at most `sequence_length` a sequence, with labels as `loss_sum` takes them."""

    @abstractmethod
    def outputs(self, classes: int) -> int:
        """Width of the head for so many classes."""

    def logits(self, encoder: BertModel, dropout: HeadDropout, head: nn.Linear, batch: Batch) -> Tensor:
        """Forward: [s, outputs] from the pooled [CLS] of each sequence, unless overridden."""
        _, pooled_sh = encoder(batch.packed)
        return head(dropout(pooled_sh, batch.packed.cu_seqlens[:-1]))

    def logits_of_items(self, split: EncodedSplit) -> NDArray[np.int64]:
        """[i] rows of logits that belong to each item."""
        return np.ones(split.items, np.int64)

    @abstractmethod
    def loss_sum(self, logits: Tensor, batch: Batch) -> Tensor:
        """Sum of the losses of a batch in float32, to be divided by `label_count` of the whole batch."""

    def label_count(self, split: EncodedSplit, items: NDArray[np.int64]) -> int:
        """How many labels the loss of these items is a mean of."""
        return len(items)

    def huggingface_settings(self, labels: Sequence[str]) -> dict[str, Any]:
        """What `config.json` says of the head."""
        return {}

    @abstractmethod
    def decode(
        self,
        task: Task,
        labels: Sequence[str],
        rows: Sequence[AnyRow],
        split: EncodedSplit,
        logits: NDArray[np.float32],
    ) -> list[Prediction]:
        """Answers from finite logits of the whole split, one for each row in order."""

    @abstractmethod
    def score(self, task: Task, rows: Sequence[AnyRow], predictions: Sequence[Prediction]) -> dict[str, float]:
        """Metrics by name, at least those that the task asks for."""

    @abstractmethod
    def constant(self, task: Task, train: Sequence[AnyRow], dev: Sequence[AnyRow]) -> list[Prediction]:
        """The constant answer to each row of `dev` that is commonest in `train`."""

    @abstractmethod
    def constants(self, task: Task, dev: Sequence[AnyRow]) -> Iterable[list[Prediction]]:
        """Constant answers to each row of `dev`, among them the one that scores best there by the main metric."""

    def is_constant(self, task: Task, rows: Sequence[AnyRow], answers: Sequence[Prediction]) -> bool:
        """Whether every row got the same answer."""
        return all(answer.prediction == answers[0].prediction for answer in answers)

    def weighted_score(self, task: Task, answers: Sequence[Prediction]) -> WeightedScore | None:
        """The main metric of rows with weights, from labels and answers alone; None: no intervals over rows."""
        return None

    def cell(self, task: Task, prediction: Any) -> str:
        """An answer as a submission writes it."""
        return str(prediction)

    def is_answer(self, task: Task, cell: str) -> bool:
        """Whether a submission may have this answer."""
        return cell in task.labels

    def allowed(self, task: Task) -> str:
        """In words, which answers a submission may have."""
        return " or ".join(task.labels)

    def write_benchmark_files(
        self, output: Path, task: Task, split: str, predictions: Sequence[Prediction]
    ) -> list[Path]:
        """Write what the benchmark's server or scripts read; none for other tasks. See `benchmark_files`."""
        name = task.splits[split].submission
        if name is None:
            return []
        answers = [(item.id, self.cell(task, item.prediction)) for item in predictions]
        return [write_glue_file(output / SUBMISSION_FOLDER / name, answers)]

    def confusions(self, answer: Mapping[str, Any]) -> Iterable[tuple[str, str]]:
        """(right class, answered class) pairs of one line of a prediction file; none without classes."""
        return ()

    @abstractmethod
    def error(self, answer: Mapping[str, Any]) -> tuple[float, str, str] | None:
        """How wrong one line of a prediction file is, above 0, with what is right and the answer in words.

        None where it is right.
        """
