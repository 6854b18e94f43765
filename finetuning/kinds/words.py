"""A tag for each word, from its first piece (Devlin et al. 2018, section 5.3: CoNLL-2003)."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn

from finetuning.errors import FinetuningError
from finetuning.kinds.answers.predictions import Prediction, commonest, label_settings, softmax
from finetuning.kinds.batches import Batch
from finetuning.kinds.encoding.layout import UNLABELLED, EncodedSplit
from finetuning.kinds.encoding.ragged import ragged
from finetuning.kinds.encoding.word_pieces import encode_words
from finetuning.kinds.metrics.definitions import entity_scores
from finetuning.kinds.protocol import Kind
from finetuning.kinds.rows import TokenRow
from finetuning.tasks.records import Record
from finetuning.tasks.task import Task
from preprocessing.tokens.tokenizer import Tokenizer
from pretraining.model.bert import BertModel


class Words(Kind[TokenRow]):
    """A tag for each word of a sentence. Logits: [w, c]; labels: [w] int64."""

    name = "token"
    formats = ("jsonl", "parquet", "conll")
    optional = frozenset({"id", "words", "tags"})
    class_role = "tags"
    new_roles = ("words",)
    architecture = "BertForTokenClassification"
    uses_pooler = False
    has_words = True
    metrics = ("entity_f1", "entity_precision", "entity_recall", "accuracy")

    def row(self, task: Task, record: Record, labelled: bool) -> TokenRow:
        words = record.texts("words")
        tags = record.texts("tags") if labelled else None
        if tags is not None and len(tags) != len(words):
            raise FinetuningError(
                f"{record.place}: {len(words)} words but {len(tags)} tags; write one tag for each word"
            )
        return TokenRow(record.id, record.place, words, tags)

    def line_roles(self, task: Task) -> tuple[str, ...]:
        return ("words",)

    def classes_in(self, row: TokenRow) -> Sequence[str]:
        return row.tags or ()

    def classes(self, task: Task, splits: Mapping[str, Sequence[TokenRow]]) -> tuple[str, ...]:
        """Those that the task names, or else those of the training split, `O` first, the others sorted.

        FinetuningError where a tag is not among the labels that the task names, or none is there to learn.
        """
        if not task.labels:
            seen = {tag for row in splits["train"] for tag in row.tags or ()}
            if not seen:
                raise FinetuningError(
                    f"{splits['train'][0].place}: no word of the train split has a tag; correct the file"
                )
            return tuple(sorted(seen, key=lambda tag: (tag != "O", tag)))
        for rows in splits.values():
            for row in rows:
                if unknown := set(row.tags or ()) - set(task.labels):
                    raise FinetuningError(
                        f"{row.place}: tag {min(unknown)!r} is unknown; {task.name} knows {', '.join(task.labels)}"
                    )
        return task.labels

    def remarks(self, task: Task, labels: Sequence[str]) -> tuple[str, ...]:
        """Whole entities are read from `B-` and `I-` (of IOBES also `E-` and `S-`); other tags make none, or others."""
        if not task.metric.startswith("entity_"):
            return ()
        odd = [label for label in labels if label != "O" and label[:2] not in ("B-", "I-", "E-", "S-")]
        if not odd:
            return ()
        return (f'tag {odd[0]!r} is not IOB2, so {task.metric} counts runs of equal tags; set metric = "accuracy"',)

    def encode(
        self,
        task: Task,
        rows: Sequence[TokenRow],
        tokenizer: Tokenizer,
        labels: Sequence[str],
        sequence_length: int,
    ) -> EncodedSplit:
        return encode_words(rows, tokenizer, labels, sequence_length)

    def outputs(self, classes: int) -> int:
        return classes

    def logits(self, encoder: BertModel, dropout: nn.Module, head: nn.Linear, batch: Batch) -> Tensor:
        *_, hidden_th = encoder.hidden_states(batch.packed)
        assert batch.word_indices_w is not None
        return head(dropout(hidden_th.index_select(0, batch.word_indices_w)))

    def logits_of_items(self, split: EncodedSplit) -> NDArray[np.int64]:
        assert split.words is not None
        return np.diff(split.words.offsets_s)

    def loss_sum(self, logits: Tensor, batch: Batch) -> Tensor:
        return F.cross_entropy(logits.float(), batch.labels, ignore_index=UNLABELLED, reduction="sum")

    def label_count(self, split: EncodedSplit, items: NDArray[np.int64]) -> int:
        """The words that have a label."""
        assert split.words is not None
        first = split.words.offsets_s[items]
        chosen = ragged(first, split.words.offsets_s[items + 1] - first)
        return int((split.labels[chosen] != UNLABELLED).sum())

    def huggingface_settings(self, labels: Sequence[str]) -> dict[str, Any]:
        return label_settings(labels)

    def decode(
        self,
        task: Task,
        labels: Sequence[str],
        rows: Sequence[TokenRow],
        split: EncodedSplit,
        logits: NDArray[np.float32],
    ) -> list[Prediction]:
        assert split.words is not None
        # A word without pieces gets no logits; it is outside every entity.
        outside = "O" if "O" in labels else labels[0]
        tags = [[outside] * len(row.words) for row in rows]
        shares = [[0.0] * len(row.words) for row in rows]
        row_w = np.repeat(split.row_i, np.diff(split.words.offsets_s))
        best_w = logits.argmax(1)
        top_w = softmax(logits)[np.arange(len(best_w)), best_w]
        for row, word, best, top in zip(
            row_w.tolist(), split.words.word_w.tolist(), best_w.tolist(), top_w.tolist(), strict=True
        ):
            tags[row][word] = labels[best]
            shares[row][word] = round(top, 4)
        return [
            Prediction(row.id, None if row.tags is None else list(row.tags), predicted, share)
            for row, predicted, share in zip(rows, tags, shares, strict=True)
        ]

    def score(self, task: Task, rows: Sequence[TokenRow], predictions: Sequence[Prediction]) -> dict[str, float]:
        values = entity_scores([p.label for p in predictions], [p.prediction for p in predictions])
        return {name: values[name] for name in dict.fromkeys((task.metric, *task.metrics))}

    def constant(self, task: Task, train: Sequence[TokenRow], dev: Sequence[TokenRow]) -> list[Prediction]:
        answer = commonest(Counter(tag for row in train for tag in row.tags or ()))
        return [Prediction(row.id, list(row.tags or ()), [answer] * len(row.words), None) for row in dev]

    def confusions(self, answer: Mapping[str, Any]) -> Iterable[tuple[str, str]]:
        return zip(map(str, answer["label"]), map(str, answer["prediction"]), strict=True)

    def error(self, answer: Mapping[str, Any]) -> tuple[float, str, str] | None:
        """The share of wrong tags; of these, the places with the tags."""
        label, given = answer["label"], answer["prediction"]
        wrong = [place for place, (a, b) in enumerate(zip(label, given, strict=True)) if a != b]
        if not wrong:
            return None
        right, said = (" ".join(f"{place}:{tags[place]}" for place in wrong) for tags in (label, given))
        return len(wrong) / max(1, len(label)), right, said


KIND = Words()
