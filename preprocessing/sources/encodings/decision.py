"""Which of a language's old encodings a sample is in, and how sure that is."""

import codecs
import functools
import math
import re
from collections.abc import Sequence
from dataclasses import dataclass

from preprocessing.languages import section
from preprocessing.sources.encodings.plausibility import Reading, read_as
from preprocessing.sources.encodings.sample import Sample

CERTAIN = 0.9
"""A lower confidence is none: the file is refused."""
# chardet is right about 19 of 20 short texts (`benchmarks/encodings.py`): log(19), in nats.
_WITNESS = 3.0
# DOS and the Macintosh left few of the files that are found, and one in five of those of ISO's pages has what Windows'
# has not: in nats, which a sample of some words outweighs. So a book with one sign is Windows', unless that is absurd.
_SELDOM = re.compile(r"cp\d{3}|cp1125|mac[_-].*")
_SELDOM_COST, _ISO_COST = 4.0, 2.0
# So many different words are needed before letters may say that a file is one of the seldom ones.
_WORDS = 5
_EXAMPLE_BYTES = 40


@dataclass(frozen=True, slots=True)
class Candidate:
    """An encoding that has a character for every byte of the sample, and what the sample is like in it."""

    encoding: str
    text: str
    reading: Reading


@dataclass(frozen=True, slots=True)
class Decision:
    """The encodings that read best, which all give the same text, and the confidence in them, from 0 to 1."""

    encodings: tuple[str, ...]
    confidence: float
    candidates: tuple[str, ...]
    """Every encoding that was weighed and has a character for each byte, the best first."""


def old_encodings(language: str) -> tuple[str, ...]:
    """Python's names of the encodings before UTF-8 in which texts of the language are found, most likely first."""
    return tuple(section(language, "writing").get("encodings", section("en", "writing")["encodings"]))


def decide(sample: Sample, language: str, *, witness: str | None = None, encodings: Sequence[str] = ()) -> Decision:
    """The decision between `encodings`, by default the language's. Without any that fits, the confidence is 0.

    `witness` is the sample as a general detector would read it; it has no voice in one that is mostly ASCII. The
    confidence is the share of the characters above ASCII that the language has in such places, times the probability
    of the best reading against the next one that gives another text.
    """
    candidates = [
        Candidate(encoding, text, read_as(text, language))
        for encoding in encodings or old_encodings(language)
        if (text := decoded(sample, encoding)) is not None
    ]

    def cost(candidate: Candidate) -> float:
        rarity = 0.0
        if _SELDOM.fullmatch(candidate.encoding):
            rarity = _SELDOM_COST
        elif candidate.encoding == "iso8859-15":
            rarity = _ISO_COST
        return candidate.reading.cost + rarity - (_WITNESS if candidate.text == witness else 0.0)

    candidates.sort(key=cost)  # a stable sort: the likelier stands first
    if not candidates:
        return Decision((), 0.0, ())
    best = candidates[0]
    same = tuple(candidate.encoding for candidate in candidates if candidate.text == best.text)
    other = next((candidate for candidate in candidates if candidate.text != best.text), None)
    margin = cost(other) - cost(best) if other else math.inf
    if _SELDOM.fullmatch(best.encoding) and len(sample.words) < _WORDS:
        margin *= len(sample.words) / _WORDS
    confidence = best.reading.share / (1 + math.exp(-min(margin, 700)))
    return Decision(same, confidence, tuple(candidate.encoding for candidate in candidates))


def decoded(sample: Sample, encoding: str) -> str | None:
    """The sample's words, a line each; None where one of them does not decode."""
    words = sample.words + (sample.fragments if is_single_byte(encoding) else [])
    decoder = codecs.getincrementaldecoder(encoding)
    try:
        # Not to the end: a long word may be cut inside a character.
        return "\n".join(decoder().decode(word) for word in words)
    except UnicodeDecodeError:
        return None


def first_word(sample: Sample, encodings: tuple[str, ...]) -> str:
    """How the first word above ASCII would read, so that a person sees which encoding is right."""
    word = next((word for word in sample.words if len(word) <= _EXAMPLE_BYTES), None)
    if word is None or not encodings:
        return ""
    readings: dict[str, list[str]] = {}
    for encoding in encodings:
        text = "".join(
            shown if shown.isprintable() else " " if shown.isspace() else "\N{REPLACEMENT CHARACTER}"
            for shown in word.decode(encoding, "replace")
        )
        readings.setdefault(text, []).append(encoding)
    return ", ".join(f'"{text}" ({", ".join(names)})' for text, names in readings.items())


@functools.cache
def is_single_byte(encoding: str) -> bool:
    """Whether each byte is a character by itself."""
    # The first byte of two decodes to nothing, or to a sign of replacement, when it stands alone: pairs tell.
    pairs = (bytes((first, second)) for first in range(0x20, 0x100) for second in (0x41, 0xA1, 0xFE))
    try:
        return all(len(pair.decode(encoding, "replace")) == 2 for pair in pairs)
    except UnicodeError:
        return False
