"""What a corpus and the examples made of it consist of: sums that add up over buckets."""

from typing import Any

from pydantic import BaseModel, ConfigDict


class _Statistics(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class ExampleStatistics(_Statistics):
    """What the examples of one split and length are made of; sums over all its shards."""

    rows: int = 0
    """Examples."""
    tokens: int = 0
    """Tokens of all examples, special tokens included."""
    random_pairs: int = 0
    """Examples whose segment B is from another document."""
    masked_tokens: int = 0
    """Masked positions: those that have a label."""
    masked_as_mask: int = 0
    """Masked positions that show [MASK]; the rest show another token or the original one."""
    masked_as_random: int = 0
    """Masked positions that show a random piece."""
    masked_as_original: int = 0
    """Masked positions that show the original piece."""
    truncated_tokens: int = 0
    """Tokens cut off because the two segments were longer than the sequence."""
    documents_without_examples: int = 0
    """Documents that begin no example: of one sentence, or without any other to pair with."""
    documents_alone: int = 0
    """Those without any other to pair with: alone in their bucket, and so in no example at all."""
    words_by_length: dict[int, int] = {}
    """Pieces of a word → words of that length that could have been masked."""
    masked_words_by_length: dict[int, int] = {}
    """Pieces of a word → words of that length with at least one masked piece."""
    masked_pieces_by_length: dict[int, int] = {}
    """Pieces of a word → masked pieces inside words of that length."""
    rows_by_source: dict[str, int] = {}
    """Source of segment A → examples."""

    def __add__(self, other: "ExampleStatistics") -> "ExampleStatistics":
        return ExampleStatistics(
            **{name: _sum(getattr(self, name), getattr(other, name)) for name in type(self).model_fields}
        )


class CorpusStatistics(_Statistics):
    """The documents that were kept, by the source they came from."""

    documents_by_source: dict[str, int] = {}
    """Source → documents."""
    sentences_by_source: dict[str, int] = {}
    """Source → sentences."""
    tokens_by_source: dict[str, int] = {}
    """Source → tokens, without special ones."""
    unknown_tokens_by_source: dict[str, int] = {}
    """Source → tokens that are [UNK]."""
    text_bytes_by_source: dict[str, int] = {}
    """UTF-8 bytes of clean text."""
    heldout_documents: int = 0
    """Documents of the held-out split."""

    def __add__(self, other: "CorpusStatistics") -> "CorpusStatistics":
        return CorpusStatistics(
            **{name: _sum(getattr(self, name), getattr(other, name)) for name in type(self).model_fields}
        )

    @property
    def tokens(self) -> int:
        return sum(self.tokens_by_source.values())

    @property
    def unknown_tokens(self) -> int:
        return sum(self.unknown_tokens_by_source.values())


def _sum(left: Any, right: Any) -> Any:
    if isinstance(left, dict):
        return {key: left.get(key, 0) + right.get(key, 0) for key in sorted({*left, *right})}
    return left + right
