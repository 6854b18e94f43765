"""A tokenizer of a wanted size from word counts."""

from collections import Counter

from pydantic import BaseModel, ConfigDict, Field

from preprocessing.arguments import REMOTE
from preprocessing.errors import PreprocessingError
from preprocessing.sources.split import SPLIT_BYTES
from preprocessing.tokens.tokenizer import SPECIAL_TOKENS, Tokenizer, build
from preprocessing.tokens.wordpiece_training import learn_pieces


class VocabularyOptions(BaseModel):
    """What the vocabulary is like."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    output: str = Field(
        description="folder of vocab.txt, tokenizer.json and tokenizer_config.json", json_schema_extra=REMOTE
    )
    vocabulary_size: int = Field(30522, ge=100, le=1 << 24, description="pieces, special and unused ones included")
    unused_tokens: int = Field(0, ge=0, description="how many [unused…] to reserve (published vocabularies: 99 to 994)")
    cased: bool = Field(False, description="keep case")
    keep_accents: bool | None = Field(None, description="keep accents (default: only where case is kept, as BERT does)")
    separate_chinese: bool = Field(True, description="each Chinese character is a word of its own")
    minimum_frequency: int = Field(2, ge=1, description="a piece occurs this often at least in the sample")
    character_coverage: float = Field(
        0.9999, gt=0, le=1, description="share of all characters that must be in the vocabulary; the rarest are not"
    )
    sample_bytes: int = Field(256 << 20, ge=1, description="bytes of clean text to learn from, roughly")
    split_bytes: int = Field(SPLIT_BYTES, ge=1 << 10, description="bytes of input that a worker takes at a time")


def train_wordpiece(counts: Counter[str], options: VocabularyOptions) -> Tokenizer:
    """A tokenizer of `options.vocabulary_size` pieces at most, special tokens first, from counts of normalised words.

    Raises PreprocessingError when there are no words or no room for them.
    """
    if not counts:
        raise PreprocessingError("The inputs hold no words to learn a vocabulary from; check them and --sample-bytes.")
    # [PAD] is 0 as everywhere; the unused ones follow it, as in the published vocabularies.
    reserved = [SPECIAL_TOKENS[0], *(f"[unused{i}]" for i in range(options.unused_tokens)), *SPECIAL_TOKENS[1:]]
    if options.vocabulary_size <= 2 * len(reserved):
        raise PreprocessingError(f"--vocabulary-size {options.vocabulary_size} leaves no room for words; raise it.")
    pieces = learn_pieces(
        counts, reserved, options.vocabulary_size, options.minimum_frequency, options.character_coverage
    )
    return build(
        {piece: index for index, piece in enumerate(pieces)},
        lowercase=not options.cased,
        chinese=options.separate_chinese,
        accents=options.keep_accents,
    )
