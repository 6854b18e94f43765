"""What a build must look like to be worth training on: label balance, unknown tokens and fill.

A wrong vocabulary, a corpus without document boundaries or text that is no text all end in shards that train without an
error and teach nothing. The build stops instead, before its manifest is written.
"""

import math
from collections.abc import Mapping

from pydantic import BaseModel, ConfigDict, Field

from preprocessing.errors import PreprocessingError
from preprocessing.examples.statistics import CorpusStatistics, ExampleStatistics

STANDARD_ERRORS = 4.0
"""Allowance for chance on top of the limit: small builds are off by chance alone."""
MINIMUM_TOKENS = 1000
"""A source with fewer tokens says nothing about its share of unknown ones."""


class ThresholdOptions(BaseModel):
    """Limits that stop a build. A limit of 1 (or 0 for `minimum_fill`) switches a check off."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    maximum_label_imbalance: float = Field(
        0.1, ge=0, le=1, description="how far the share of random pairs may be from one half"
    )
    maximum_unknown_share: float = Field(
        0.05, ge=0, le=1, description="largest share of [UNK] among the tokens of any source"
    )
    maximum_alone_share: float = Field(
        0.01, ge=0, le=1, description="largest share of training documents that no other shares a bucket with"
    )
    minimum_fill: float = Field(
        0.2, ge=0, le=1, description="smallest mean length of the examples, as a share of the sequence length"
    )


def check_quality(
    options: ThresholdOptions,
    corpus: CorpusStatistics,
    statistics: Mapping[str, ExampleStatistics],
    *,
    pairs: bool = True,
) -> list[str]:
    """What is off, one clause each; empty when all is well.

    `statistics` is by "SPLIT/LENGTH". `pairs` is false for examples without a second segment, which have no label.
    """
    problems = []
    for source, tokens in sorted(corpus.tokens_by_source.items()):
        share = corpus.unknown_tokens_by_source.get(source, 0) / tokens if tokens >= MINIMUM_TOKENS else 0.0
        if share > options.maximum_unknown_share:
            problems.append(
                f"{share:.1%} of the tokens of {source} are [UNK], more than {options.maximum_unknown_share:.1%} "
                "(is the vocabulary for this language and spelling? else raise --maximum-unknown-share)"
            )
    for place, examples in sorted(statistics.items()):
        split, _, length = place.partition("/")
        if not examples.rows or split != "train":
            continue
        trained_on = sum(corpus.documents_by_source.values()) - corpus.heldout_documents
        if trained_on and examples.documents_alone / trained_on > options.maximum_alone_share:
            problems.append(
                f"{examples.documents_alone} of the {trained_on} training documents are in no example of {place}, "
                "because each is alone in its bucket (raise --bucket-bytes; else --maximum-alone-share)"
            )
        fill = examples.tokens / (examples.rows * int(length))
        if fill < options.minimum_fill:
            problems.append(
                f"examples of {place} are filled to {fill:.1%} only, less than {options.minimum_fill:.1%} (are the "
                f"documents too short for sequences of {length}? else lower --minimum-fill)"
            )
        share = examples.random_pairs / examples.rows
        chance = STANDARD_ERRORS * math.sqrt(0.25 / examples.rows)
        if (
            pairs
            and options.maximum_label_imbalance < 1
            and abs(share - 0.5) > options.maximum_label_imbalance + chance
        ):
            problems.append(
                f"{share:.1%} of the pairs of {place} are random, not about half (are documents separated, and not one "
                "sentence each? else raise --maximum-label-imbalance)"
            )
    return problems


def enforce(
    options: ThresholdOptions,
    corpus: CorpusStatistics,
    statistics: Mapping[str, ExampleStatistics],
    *,
    pairs: bool = True,
) -> None:
    """Raises PreprocessingError, naming everything that is off, so that a bad build never gets a manifest."""
    problems = check_quality(options, corpus, statistics, pairs=pairs)
    if problems:
        raise PreprocessingError(
            f"The build stops because its examples are not fit to train on: {'; '.join(problems)}."
        )
