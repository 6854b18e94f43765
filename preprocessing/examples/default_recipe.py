"""The default recipe: documents → masked examples, vectorised over a whole bucket."""

import math
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, model_validator

from preprocessing.examples.masking import MaskRule, Masks, mask_examples
from preprocessing.examples.pairs import Plan, join_plans, plan_pairs
from preprocessing.examples.philox import compiled, stream_key
from preprocessing.shards.manifest import ExampleStatistics
from preprocessing.shards.shard_files import Examples
from preprocessing.tokens.corpus import Array, Corpus, offsets_of
from preprocessing.tokens.tokenizer import Tokenizer

UNLIMITED = 1 << 30


class ExampleOptions(BaseModel):
    """How documents become examples."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    sequence_lengths: tuple[int, ...] = Field((128, 512), description="lengths in tokens, special tokens included")
    duplicate_factor: int = Field(
        5, ge=1, description="passes over the training documents, each with other pairs and masks"
    )
    seed: int = Field(12345, description="seed of every random choice")
    recipe: Literal["default", "reference"] = Field("default", description="correct, or as published with its quirks")
    objective: Literal["next-sentence", "sentence-order", "none"] = Field(
        "next-sentence", description="what the second segment is: next or random, in order or swapped, or absent"
    )
    short_sequence_probability: float = Field(
        0.1, ge=0, le=1, description="share of examples with a shorter target length"
    )
    mask_probability: float = Field(0.15, gt=0, lt=1, description="share of the tokens (or words) that are masked")
    max_predictions: tuple[int, ...] = Field(
        (),
        description="masked tokens per example at most, one number or one for each length; default: no limit, and "
        "for the reference recipe mask probability times length, rounded up",
    )
    mask_token_share: float = Field(0.8, ge=0, le=1, description="share of the masked tokens shown as [MASK]")
    random_token_share: float = Field(0.1, ge=0, le=1, description="share of the masked tokens shown as a random token")
    whole_word_masking: bool = Field(False, description="mask whole words, and truncate between words")
    word_segmenter: str = Field(
        "", description="module:function that splits a text into words, for languages that write none apart"
    )
    heldout_fraction: float = Field(0.01, ge=0, lt=1, description="share of the documents that are held out")

    @model_validator(mode="after")
    def _check(self) -> "ExampleOptions":
        lengths = self.sequence_lengths
        if not lengths or list(lengths) != sorted(set(lengths)) or not all(8 <= length <= 32768 for length in lengths):
            raise ValueError(f"--sequence-lengths {_joined(lengths)}: give ascending lengths between 8 and 32768")
        if len(self.max_predictions) not in (0, 1, len(lengths)) or not all(most >= 1 for most in self.max_predictions):
            raise ValueError(
                f"--max-predictions {_joined(self.max_predictions)}: give one positive number, or one for each length"
            )
        if self.mask_token_share + self.random_token_share > 1 + 1e-9:
            raise ValueError("--mask-token-share and --random-token-share are more than 1 together: lower one of them")
        if self.recipe == "reference" and self.objective != "next-sentence":
            raise ValueError(f"--objective {self.objective} is not part of --recipe reference: use --recipe default")
        return self

    def most_predictions(self, length: int) -> int:
        """Masked tokens per example at most."""
        if self.max_predictions:
            given = self.max_predictions
            return given[0] if len(given) == 1 else given[self.sequence_lengths.index(length)]
        return math.ceil(length * self.mask_probability) if self.recipe == "reference" else UNLIMITED


@dataclass(frozen=True)
class BuiltExamples:
    """Examples and what they are made of (`rows_by_source` is left to whoever knows the sources)."""

    examples: Examples
    statistics: ExampleStatistics


def build_examples(
    corpus: Corpus, members: Array, length: int, duplicates: int, options: ExampleOptions, tokenizer: Tokenizer
) -> BuiltExamples:
    """The examples of one length of the documents `members` (int64 indices into the corpus), `duplicates` times over.

    All randomness is keyed by seed, length, duplicate number, document key and place in the document.
    """
    plans = [
        plan_pairs(
            corpus,
            members,
            length=length,
            short_probability=options.short_sequence_probability,
            objective=options.objective,
            whole_words=options.whole_word_masking,
            key=stream_key(options.seed, "pairs", length, duplicate),
        )
        for duplicate in range(duplicates)
    ]
    mask_keys = [stream_key(options.seed, "masks", length, duplicate) for duplicate in range(duplicates)]
    row_keys = np.repeat(np.array(mask_keys, np.uint64), [plan.rows for plan in plans])
    plan = join_plans(plans)
    del plans
    single = options.objective == "none"
    lengths = (plan.a_end - plan.a_start) + (plan.b_end - plan.b_start) + (2 if single else 3)
    token_offsets = offsets_of(lengths)
    input_ids = np.empty(int(token_offsets[-1]), corpus.tokens.dtype)
    _assemble(
        corpus.tokens,
        plan.a_start,
        plan.a_end,
        plan.b_start,
        plan.b_end,
        token_offsets,
        tokenizer.cls_id,
        tokenizer.sep_id,
        single,
        input_ids,
    )
    rule = MaskRule(
        probability=options.mask_probability,
        mask_share=options.mask_token_share,
        random_share=options.random_token_share,
        most=options.most_predictions(length),
        whole_words=options.whole_word_masking,
    )
    masks = mask_examples(
        input_ids,
        token_offsets,
        plan,
        corpus.word_starts,
        corpus.keys,
        row_keys,
        rule,
        tokenizer.mask_id,
        tokenizer.ordinary_ids,
    )
    examples = Examples(
        token_offsets=token_offsets.astype(np.int32),
        input_ids=input_ids,
        segment_b_start=np.minimum(plan.a_end - plan.a_start + 2, lengths).astype(np.uint16),
        mask_offsets=masks.offsets.astype(np.int32),
        masked_positions=masks.positions,
        masked_labels=masks.labels,
        is_random_next=plan.is_random_next,
        document_a=plan.document_a,
        document_b=plan.document_b,
    )
    statistics = _statistics(examples, plan, masks)
    without = documents_without_examples(members, examples)
    return BuiltExamples(examples, statistics.model_copy(update={"documents_without_examples": without}))


def documents_without_examples(members: Array, examples: Examples) -> int:
    """How many of the documents begin no example: of one sentence, or without any other to pair with."""
    return len(members) - len(np.intersect1d(members, examples.document_a))


def _statistics(examples: Examples, plan: Plan, masks: Masks) -> ExampleStatistics:
    def by_length(column: int) -> dict[int, int]:
        return {int(size): int(masks.words[size, column]) for size in np.flatnonzero(masks.words[:, 0])}

    return ExampleStatistics(
        rows=examples.rows,
        tokens=len(examples.input_ids),
        random_pairs=int(np.count_nonzero(examples.is_random_next)),
        masked_tokens=len(examples.masked_positions),
        masked_as_mask=int(masks.shown[0]),
        masked_as_random=int(masks.shown[1]),
        masked_as_original=int(masks.shown[2]),
        truncated_tokens=plan.truncated_tokens,
        words_by_length=by_length(0),
        masked_words_by_length=by_length(1),
        masked_pieces_by_length=by_length(2),
    )


@compiled
def _assemble(tokens, a_start, a_end, b_start, b_end, offsets, cls_id, sep_id, single, input_ids) -> Any:  # type: ignore[no-untyped-def]
    for row in range(len(a_start)):
        at = offsets[row]
        input_ids[at] = cls_id
        at += 1
        for token in range(a_start[row], a_end[row]):
            input_ids[at] = tokens[token]
            at += 1
        input_ids[at] = sep_id
        at += 1
        if single:
            continue
        for token in range(b_start[row], b_end[row]):
            input_ids[at] = tokens[token]
            at += 1
        input_ids[at] = sep_id


def _joined(numbers: tuple[int, ...]) -> str:
    return ",".join(map(str, numbers))
