"""The default recipe: documents → masked examples, vectorised over a whole bucket."""

from typing import Any

import numpy as np

from preprocessing.compiled import compiled, inlined
from preprocessing.examples.arrays import BuiltExamples, Examples, documents_without_examples
from preprocessing.examples.options import ExampleOptions
from preprocessing.examples.pairs import Plan, join_plans, plan_pairs
from preprocessing.examples.philox import stream_key
from preprocessing.examples.static_masking import MaskRule, Masks, mask_examples
from preprocessing.examples.statistics import ExampleStatistics
from preprocessing.tokens.corpus import Array, Corpus, offsets_of
from preprocessing.tokens.tokenizer import Tokenizer


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
        at = _copy(tokens, a_start[row], a_end[row], input_ids, at + 1)
        input_ids[at] = sep_id
        if not single:
            at = _copy(tokens, b_start[row], b_end[row], input_ids, at + 1)
            input_ids[at] = sep_id


@inlined
def _copy(tokens, start, end, input_ids, at):  # type: ignore[no-untyped-def]
    """Copies a segment to `at`; returns where it ends. Slices let the compiler move several tokens at once."""
    source, target = tokens[start:end], input_ids[at : at + end - start]
    for token in range(len(source)):
        target[token] = source[token]
    return at + end - start
