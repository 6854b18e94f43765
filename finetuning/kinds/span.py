"""Which part of a paragraph answers a question (Devlin et al. 2018, sections 4.2 and 4.3: SQuAD)."""

from __future__ import annotations

import re
from collections.abc import Hashable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from finetuning.errors import FinetuningError
from finetuning.kinds.answers.benchmark_files import write_squad_files
from finetuning.kinds.answers.predictions import Prediction, answers_at
from finetuning.kinds.answers.span_search import span_answers
from finetuning.kinds.batches import Batch
from finetuning.kinds.encoding.layout import EncodedSplit
from finetuning.kinds.encoding.windows import encode_windows
from finetuning.kinds.metrics import squad
from finetuning.kinds.metrics.resampling import WeightedScore
from finetuning.kinds.metrics.weighted import weighted_best_threshold, weighted_mean
from finetuning.kinds.protocol import HeadDropout, Kind
from finetuning.kinds.rows import SpanRow
from finetuning.tasks.records import Columns, Record, names_in
from finetuning.tasks.task import Task
from preprocessing.tokens.tokenizer import Tokenizer
from pretraining.model.bert import BertModel

# Some answers of the published files are said to stand a character or two beside their `answer_start`.
SLIP = 2
BEST = ("best_exact_match", "best_f1")
"""Metrics of the null threshold that makes each best: of exact match, and of F1."""
FIRST_WORDS = (1, 4, 16)
"""Lengths of the constant answers that are not empty."""


class Span(Kind[SpanRow]):
    """A span of a paragraph, or none. Logits: [t, 2], start and end; labels: [i, 2] int64 piece of the sequence."""

    name = "span"
    formats = ("jsonl", "parquet", "squad", "csv", "tsv")
    optional = frozenset({"id", "question", "context", "answers"})
    unique_ids = True
    default_columns: ClassVar[Columns] = {role: role for role in ("id", "question", "context", "answers")}
    new_roles = ("question", "context")
    architecture = "BertForQuestionAnswering"
    head = "qa_outputs"
    uses_pooler = False
    metrics = ("f1", "exact_match", *BEST)

    def check(self, task: Task) -> None:
        if not task.unanswerable and (asked := [name for name in (task.metric, *task.metrics) if name in BEST]):
            raise ValueError(f"metric {asked[0]!r} looks for the best null threshold; it needs unanswerable = true")

    def row(self, task: Task, record: Record, labelled: bool) -> SpanRow:
        given = (_table_answer(record) if task.is_table else record.get("answers")) if labelled else []
        question, context = record.text("question"), record.text("context")
        where = f"{record.place}: question {record.id}"
        try:
            answers = _answers(given, context)
        except (KeyError, TypeError, ValueError, OverflowError):
            raise FinetuningError(
                f'{record.place}: answers are not understood; write [{{"text": …, "answer_start": …}}]'
            ) from None
        if labelled and not answers and not task.unanswerable:
            raise FinetuningError(
                f"{where}: it has no answer, and to {task.name} every question has one; remove it, or set "
                "unanswerable = true in the task"
            )
        for text, start in answers:
            if not text.strip() or start < 0 or start + len(text) > len(context):
                raise FinetuningError(
                    f"{where}: the answer {text!r} at character {start} is empty or outside the context of "
                    f"{len(context)} characters; correct it"
                )
            if (there := context[start : start + len(text)]) != text:
                raise FinetuningError(
                    f"{where}: the answer {text!r} does not stand at character {start} of the context, where "
                    f"{there!r} is; correct answer_start, which counts characters (not bytes) from 0"
                )
        return SpanRow(record.id, where, question, context, answers)

    def remarks(self, task: Task, labels: Sequence[str]) -> tuple[str, ...]:
        """What is chosen on the questions that it is scored on."""
        if not task.unanswerable:
            return ()
        return (
            "best_f1 and best_exact_match are of null thresholds that were chosen on the scored split itself "
            "(best_f1_threshold, best_exact_match_threshold); f1 and exact_match are of the threshold 0",
        )

    def read_of(self, row: SpanRow) -> Hashable:
        return row.question, row.context

    def encode(
        self,
        task: Task,
        rows: Sequence[SpanRow],
        tokenizer: Tokenizer,
        labels: Sequence[str],
        sequence_length: int,
    ) -> EncodedSplit:
        return encode_windows(task, rows, tokenizer, sequence_length)

    def outputs(self, classes: int) -> int:
        return 2

    def logits(self, encoder: BertModel, dropout: HeadDropout, head: nn.Linear, batch: Batch) -> Tensor:
        *_, hidden_th = encoder.hidden_states(batch.packed)
        return head(hidden_th)

    def logits_of_items(self, split: EncodedSplit) -> NDArray[np.int64]:
        return split.lengths_i

    def loss_sum(self, logits: Tensor, batch: Batch) -> Tensor:
        """The mean of the cross-entropies of the two ends over the pieces of each sequence, in nats."""
        logits = logits.float()
        first_s = batch.packed.cu_seqlens[:-1].long()
        log_total_s2 = segment_logsumexp(logits, batch.packed.cu_seqlens)
        at_start_s = logits[first_s + batch.labels[:, 0], 0]
        at_end_s = logits[first_s + batch.labels[:, 1], 1]
        return (log_total_s2.sum() - at_start_s.sum() - at_end_s.sum()) / 2

    def decode(
        self,
        task: Task,
        labels: Sequence[str],
        rows: Sequence[SpanRow],
        split: EncodedSplit,
        logits: NDArray[np.float32],
    ) -> list[Prediction]:
        return [
            Prediction(
                row.id,
                [text for text, _ in row.answers],
                answer.text,
                {text: round(probability, 6) for text, probability in answer.n_best},
                round(answer.null_odds, 6),
                answer.best_span,
            )
            for row, answer in zip(rows, span_answers(task, rows, split, logits), strict=True)
        ]

    def score(self, task: Task, rows: Sequence[SpanRow], predictions: Sequence[Prediction]) -> dict[str, float]:
        """F1 and exact match; where questions may be unanswerable, those of the best threshold too.

        `f1` and `exact_match` answer "none" where that scores above the best span (threshold 0). `best_f1` is that of
        the threshold that is best on these same questions, which `best_f1_threshold` says: BERT's figures for SQuAD 2.0
        are chosen so (Devlin et al. 2018, section 4.3), with the exact match there, `exact_match_at_best_f1`.
        """
        means, each = squad.score_answers(rows, {item.id: item.prediction for item in predictions})
        if not task.unanswerable:
            return means
        means |= squad.split_scores(rows, each)
        spans = {item.id: item.best_span or "" for item in predictions}
        odds = {item.id: item.null_odds or 0.0 for item in predictions}
        _, each = squad.score_answers(rows, spans)
        for which, name in enumerate(BEST):
            best = squad.best_threshold(rows, each, spans, odds, which)
            means |= {name: best.score, f"{name}_threshold": best.threshold}
        chosen, _ = squad.score_answers(rows, answers_at(means["best_f1_threshold"], spans, odds))
        return means | {"exact_match_at_best_f1": chosen["exact_match"]}

    def constant(self, task: Task, train: Sequence[SpanRow], dev: Sequence[SpanRow]) -> list[Prediction]:
        """No answer to any question."""
        return [_constant(row, "") for row in dev]

    def constants(self, task: Task, dev: Sequence[SpanRow]) -> Iterable[list[Prediction]]:
        """No answer, and the first words of every paragraph: what a model says that looks at places only."""
        yield self.constant(task, dev, dev)
        for count in FIRST_WORDS:
            yield [_constant(row, " ".join(row.context.split(maxsplit=count)[:count])) for row in dev]

    def is_constant(self, task: Task, rows: Sequence[SpanRow], answers: Sequence[Prediction]) -> bool:
        """Whether all answers are one text (or none), or all the beginning of the paragraph."""
        pairs = [(row.context.lstrip(), answer.prediction) for row, answer in zip(rows, answers, strict=True)]
        if all(given and context.startswith(given) for context, given in pairs):
            return True
        return len({squad.normalise_answer(answer.prediction) for answer in answers}) < 2

    def weighted_score(self, task: Task, answers: Sequence[Prediction]) -> WeightedScore | None:
        of_best = task.metric.startswith("best_")
        spans = [item.best_span if of_best and item.best_span is not None else item.prediction for item in answers]
        column = int(task.metric.removeprefix("best_") == "f1")
        values_i = np.array(
            [squad.answer_scores(p.label, text)[column] for p, text in zip(answers, spans, strict=True)]
        )
        if not of_best:
            return weighted_mean(values_i)
        answerable_i = np.array([bool(item.label) for item in answers])
        return weighted_best_threshold(values_i, answerable_i, spans, [item.null_odds or 0.0 for item in answers])

    def write_benchmark_files(
        self, output: Path, task: Task, split: str, predictions: Sequence[Prediction]
    ) -> list[Path]:
        return super().write_benchmark_files(output, task, split, predictions) or write_squad_files(
            output, split, predictions, unanswerable=task.unanswerable
        )

    def error(self, answer: Mapping[str, Any]) -> tuple[float, str, str] | None:
        """1 minus the answer's F1."""
        label, given = answer["label"], answer["prediction"]
        badness = 1.0 - max(squad.token_f1(gold, given) for gold in label or [""])
        return (badness, " | ".join(label) or "(no answer)", given or "(no answer)") if badness else None


def segment_logsumexp(logits_tc: Tensor, cu_seqlens: Tensor) -> Tensor:
    """log ∑ exp over the pieces of each sequence: [t, c] → [s, c], the same dtype."""
    lengths_s = cu_seqlens.diff().long()
    columns = logits_tc.shape[1]
    sequences_s = torch.arange(len(lengths_s), device=logits_tc.device)
    # With the size of the result given, the host does not wait for the device to work it out.
    sequence_t = torch.repeat_interleave(sequences_s, lengths_s, output_size=len(logits_tc))
    sequence_tc = sequence_t[:, None].expand(-1, columns)
    top_sc = logits_tc.new_full((len(lengths_s), columns), -torch.inf)
    top_sc = top_sc.scatter_reduce(0, sequence_tc, logits_tc.detach(), "amax")
    total_sc = torch.zeros_like(top_sc).scatter_add(0, sequence_tc, (logits_tc - top_sc.gather(0, sequence_tc)).exp())
    return total_sc.log() + top_sc


def _constant(row: SpanRow, text: str) -> Prediction:
    """An answer that does not look at the question."""
    odds = -squad.NEVER if text else squad.NEVER
    return Prediction(row.id, [answer for answer, _ in row.answers], text, None, odds, text)


def _answers(given: Any, context: str) -> tuple[tuple[str, int], ...]:
    """(text, first character) of each, put where it stands if that is near."""
    if isinstance(given, dict):
        # The hub's form: {"text": [...], "answer_start": [...]}.
        pairs = list(zip(given["text"], given["answer_start"], strict=True))
    else:
        pairs = [(answer["text"], answer["answer_start"]) for answer in given]
    if not all(isinstance(text, str) for text, _ in pairs):
        raise TypeError("text")
    # Not rounded: 7.5 or "7" are no place.
    if any(isinstance(start, bool) or not isinstance(start, int | float) or start != start // 1 for _, start in pairs):
        raise TypeError("answer_start")
    return tuple((text, _place(context, text, int(start))) for text, start in pairs)


def _table_answer(record: Record) -> list[dict[str, Any]]:
    """The answer of a row of a table: a column with its text and maybe one with its first character; none if empty.

    Without the second it is the first place where the text stands.
    """
    column, *rest = names_in(record.columns.get("answers", "answers"))
    text = record.cell(str(column), "answers")
    if not text:
        return []
    if not rest:
        start = record.text("context").find(text)
        if start < 0:
            raise FinetuningError(f"{record.place}: the answer {text!r} does not stand in the context; correct it")
        return [{"text": text, "answer_start": start}]
    start = record.cell(str(rest[0]), "answers")
    if not re.fullmatch(r"\d{1,9}", start):
        raise FinetuningError(
            f"{record.place}: the answer begins at {start!r:.60}, which is no whole number; write its first character, "
            "counted from 0"
        )
    return [{"text": text, "answer_start": int(start)}]


def _place(context: str, text: str, start: int) -> int:
    """Where the answer stands: `start`, or the nearest of the places up to `SLIP` characters beside it."""
    for shift in sorted(range(-SLIP, SLIP + 1), key=abs):
        if start + shift >= 0 and context.startswith(text, start + shift):
            return start + shift
    return start


KIND = Span()
