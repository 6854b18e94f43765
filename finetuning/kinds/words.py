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
from finetuning.kinds.metrics.entities import best_constant_tags, sentence_counts
from finetuning.kinds.metrics.resampling import WeightedScore
from finetuning.kinds.metrics.weighted import weighted_entity_metric
from finetuning.kinds.protocol import HeadDropout, Kind
from finetuning.kinds.rows import TokenRow
from finetuning.tasks.records import Record
from finetuning.tasks.task import Task
from preprocessing.tokens.tokenizer import Tokenizer
from pretraining.model.bert import BertModel


class Words(Kind[TokenRow]):
    """A tag for each word of a sentence. Logits: [w, c]; labels: [w] int64."""

    name = "token"
    formats = ("jsonl", "parquet", "conll", "csv", "tsv")
    optional = frozenset({"id", "words", "tags", "document"})
    class_role = "tags"
    new_roles = ("words",)
    further_roles = ("document", "id")
    architecture = "BertForTokenClassification"
    uses_pooler = False
    has_words = True
    metrics = ("entity_f1", "entity_precision", "entity_recall", "accuracy")

    def row(self, task: Task, record: Record, labelled: bool) -> TokenRow:
        words = _several(task, record, "words")
        tags = _several(task, record, "tags") if labelled else None
        if tags is not None and len(tags) != len(words):
            raise FinetuningError(
                f"{record.place}: {len(words)} words but {len(tags)} tags; write one tag for each word"
            )
        return TokenRow(record.id, record.place, words, tags, _document(record))

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

    def check_rows(self, task: Task, rows: Sequence[TokenRow]) -> None:
        if task.context == "document" and all(row.document is None for row in rows):
            raise FinetuningError(
                f'{rows[0].place}: where documents begin is not marked, and context is "document"; take files with '
                '-DOCSTART- lines (or a column document), or set context = "sentence"'
            )

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
        return encode_words(rows, tokenizer, labels, sequence_length, task.context)

    def outputs(self, classes: int) -> int:
        return classes

    def logits(self, encoder: BertModel, dropout: HeadDropout, head: nn.Linear, batch: Batch) -> Tensor:
        *_, hidden_th = encoder.hidden_states(batch.packed)
        assert batch.word_indices_w is not None
        return head(dropout(hidden_th.index_select(0, batch.word_indices_w), batch.word_indices_w))

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
        best_w = logits.argmax(1)
        top_w = softmax(logits)[np.arange(len(best_w)), best_w]
        for row, word, best, top in zip(
            split.words.row_w.tolist(), split.words.word_w.tolist(), best_w.tolist(), top_w.tolist(), strict=True
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

    def constants(self, task: Task, dev: Sequence[TokenRow]) -> Iterable[list[Prediction]]:
        """One tag for every word: no entity at all with `O`, but some with `B-NP`, where many have one word."""
        for tag in best_constant_tags([row.tags or () for row in dev]):
            yield [Prediction(row.id, list(row.tags or ()), [tag] * len(row.words), None) for row in dev]

    def is_constant(self, task: Task, rows: Sequence[TokenRow], answers: Sequence[Prediction]) -> bool:
        """Whether every word of every row got the same tag."""
        return len({tag for answer in answers for tag in answer.prediction}) < 2

    def weighted_score(self, task: Task, answers: Sequence[Prediction]) -> WeightedScore | None:
        counts = sentence_counts([p.label for p in answers], [p.prediction for p in answers])
        return weighted_entity_metric(task.metric, counts)

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


def _several(task: Task, record: Record, role: str) -> tuple[str, ...]:
    """A list of texts; in a table one text with blanks between them."""
    return tuple(record.text(role).split()) if task.is_table else record.texts(role)


def _document(record: Record) -> str | None:
    """What names the document of a sentence; None where nothing does."""
    if "document" not in record.columns:
        return None
    value = record.get("document")
    if value is not None and (isinstance(value, bool) or not isinstance(value, str | int)):
        raise FinetuningError(f"{record.place}: document is {value!r:.60}, neither a text nor a number; write one")
    return None if value in (None, "") else str(value)


KIND = Words()
