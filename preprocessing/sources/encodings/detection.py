"""Which encoding a text file is in: marked, declared or seen in its bytes, and never a silent guess.

Order: byte order mark; UTF-16 and UTF-32 without one; UTF-8, strictly, over the whole file, unless it is ASCII that an
ISO-2022 encoding, HZ or UTF-7 hides in; the encoding that the file itself declares (Project Gutenberg's header does);
and then a decision between the old encodings of the language asked for, with which a general detector must agree. A
decision is counted and noted with its confidence; below a threshold the file is refused.
"""

import codecs
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import BinaryIO

from preprocessing.errors import PreprocessingError
from preprocessing.languages import section
from preprocessing.sources.encodings import second_opinion, seven_bit
from preprocessing.sources.encodings.decision import CERTAIN, Decision, decide, decoded, first_word, is_single_byte
from preprocessing.sources.encodings.declared import declared_in_header, marked_encoding, superset
from preprocessing.sources.encodings.sample import Sample
from preprocessing.sources.encodings.utf8_faults import Utf8Faults
from preprocessing.sources.encodings.wide import may_be_wide, wide_encoding
from preprocessing.tally import Tally

_BLOCK_BYTES = 1 << 20
_HEAD_BYTES = 16 << 10
_CANDIDATES_NAMED = 3
# Files of word processors that are called text; much of some of them would decode.
_OTHER_FILES = (
    (b"{\\rtf", "a document in RTF"),
    (b"%PDF-", "a PDF"),
    (b"\xd0\xcf\x11\xe0", "a document of Word"),
    (b"%!PS", "PostScript"),
)


@dataclass(frozen=True, slots=True)
class _File:
    """What is asked about: how to read it, its name for messages, its language, the option that names encodings."""

    open_binary: Callable[[], BinaryIO]
    name: str
    language: str
    option: str | None

    def blocks(self) -> Iterator[bytes]:
        with self.open_binary() as stream:
            while block := stream.read(_BLOCK_BYTES):
                yield block

    def decodes_in(self, encoding: str) -> bool:
        decoder = codecs.getincrementaldecoder(encoding)()
        try:
            last = b""
            for block in self.blocks():
                decoder.decode(last)
                last = block
            # Python's East Asian decoders see half a character at the end only together with bytes before it.
            decoder.decode(last, True)
        except UnicodeError:
            return False
        return True

    def refusal(self, what: str) -> PreprocessingError:
        return _refusal(self.name, what, self.option)


def detect_encoding(
    open_binary: Callable[[], BinaryIO],
    name: str,
    language: str = "en",
    *,
    option: str | None = "--books.encoding",
    tally: Tally | None = None,
) -> str:
    """The Python codec name for the bytes that `open_binary()` yields, in constant memory and up to four passes.

    `name` is the file's name for messages, `language` what its text is in, `option` the option by which the user may
    name the encoding. Counters: `encodings.NAME`, a file each; `encodings.guessed`, with a note of the confidence.
    Raises PreprocessingError when the bytes hold NUL (and are not UTF-16 or UTF-32), are UTF-8 but for some, or when
    no encoding of the language fits well enough.
    """
    file = _File(open_binary, name, language, option)
    encoding, confidence = _find(file)
    if tally is not None:
        tally.count(f"encodings.{encoding}")
        if confidence is not None:
            reason = f"neither UTF-8 nor declared; read as {encoding}, with a confidence of {confidence:.3f}"
            tally.note(name, reason, "encodings.guessed")
    return encoding


def undecodable(
    name: str, encoding: str, error: UnicodeDecodeError, offset: int = 0, option: str | None = "--books.encoding"
) -> PreprocessingError:
    """The one sentence for bytes that do not decode; `offset` is where the decoded block begins in the file."""
    return _refusal(name, f"is not valid {encoding} near byte {offset + error.start}", option)


def _refusal(name: str, what: str, option: str | None) -> PreprocessingError:
    """One sentence: `what` is wrong, and what to do."""
    remedy = "convert it to UTF-8" + (f", or name its encoding by {option}" if option else "")
    return PreprocessingError(f"{name} {what}; {remedy}.")


def _find(file: _File) -> tuple[str, float | None]:
    """The encoding, and the confidence in it where it is a guess."""
    with file.open_binary() as stream:
        head = stream.read(_HEAD_BYTES)
    other = next((kind for beginning, kind in _OTHER_FILES if head.startswith(beginning)), None)
    if other:
        raise _refusal(file.name, f"is {other}, not plain text", None)
    marked = marked_encoding(head)
    if marked:
        return marked, None
    if may_be_wide(head) and (wide := wide_encoding(head, file.language)):
        return wide, None
    is_utf8, suspects = _look_through(file)
    if is_utf8:
        return _in_seven_bits(file, suspects) or "utf-8", None
    sample, faults = _sampled(file)
    declared = declared_in_header(head)
    if declared and declared not in ("utf-8", "ascii"):  # these two are just disproved
        # A file of Latin-1 has nothing where Windows put quotation marks, but for five bytes without a meaning.
        for encoding in (superset(declared), declared):
            if file.decodes_in(encoding):
                _refuse_lie(file, declared, encoding, sample)
                return encoding, None
    if faults.is_mostly_utf8:
        bad = "one byte" if faults.bad_bytes == 1 else f"{faults.bad_bytes} bytes"
        raise file.refusal(
            f"is UTF-8 but for {bad} beside {faults.good_characters} good characters above ASCII, the first one 0x"
            f"{faults.first_byte:02x} in line {faults.first_line} at byte {faults.first_offset}: mend it"
        )
    return _decided(file, sample)


def _look_through(file: _File) -> tuple[bool, tuple[str, ...]]:
    """Whether the whole file is UTF-8, and what may hide in it where it is ASCII. Raises for NUL bytes."""
    decoder = codecs.getincrementaldecoder("utf-8")()
    suspects: dict[str, None] = {}
    is_utf8 = is_ascii = True
    offset = 0
    for block in file.blocks():
        zero = block.find(b"\0")
        if zero >= 0:
            raise file.refusal(f"holds a NUL byte at offset {offset + zero}, so it is not plain text")
        offset += len(block)
        if is_utf8:
            try:
                decoder.decode(block)
            except UnicodeDecodeError:
                is_utf8 = False
            is_ascii = is_ascii and block.isascii()
            if is_ascii:
                suspects |= dict.fromkeys(seven_bit.suspects(block))
    if is_utf8:
        try:
            decoder.decode(b"", True)
        except UnicodeDecodeError:
            is_utf8 = False
    # Escape sequences mean what they say; the signs of the others stand in plain text as well.
    return is_utf8, tuple(sorted(suspects, key=lambda encoding: not encoding.startswith("iso"))) if is_ascii else ()


def _in_seven_bits(file: _File, suspects: tuple[str, ...]) -> str | None:
    """The encoding that hides in ASCII, or None. Raises where it is there, but not in the language asked for."""
    for encoding in suspects:
        text = seven_bit.reads_as(encoding, file.blocks)
        if text is None:
            continue
        if seven_bit.agrees(encoding, text, file.language):
            return encoding
        if not seven_bit.is_chance(encoding, text):
            raise file.refusal(
                f"is in {encoding}, but what that holds does not read as {_called(file.language)}: set --language to "
                "the language of the text"
            )
    if suspects and suspects[0].startswith("iso2022"):
        raise file.refusal("has escape sequences of ISO 2022, but does not decode in any encoding of that family")
    return None


def _sampled(file: _File) -> tuple[Sample, Utf8Faults]:
    sample, faults = Sample(), Utf8Faults()
    for block in file.blocks():
        sample.add(block)
        faults.add(block)
    sample.finish()
    faults.add(b"", final=True)
    return sample, faults


def _decided(file: _File, sample: Sample) -> tuple[str, float]:
    second = second_opinion.opinion(sample.context)
    rival = decoded(sample, second.encoding) if second.encoding else None
    decision = decide(sample, file.language, witness=None if sample.is_sparse else rival)
    if decision.confidence >= CERTAIN:
        text = decoded(sample, decision.encodings[0])
        assert text is not None  # candidates decode
        if sample.is_sparse or second_opinion.agrees(second, text, rival, file.language):
            for encoding in decision.encodings:
                if is_single_byte(encoding) or file.decodes_in(encoding):
                    return encoding, decision.confidence
    raise file.refusal(_why_undecided(file.language, decision, second, sample))


def _why_undecided(language: str, decision: Decision, second: second_opinion.Opinion, sample: Sample) -> str:
    reasons = ["is not valid UTF-8 and declares no encoding"]
    if decision.candidates:
        named = ", ".join(decision.candidates[:_CANDIDATES_NAMED])
        reasons.append(
            f"read as {_called(language)} it fits {named} in this order, with a confidence of "
            f"{decision.confidence:.2f} (least: {CERTAIN})"
        )
    else:
        reasons.append(f"no old encoding of {_called(language)} fits")
    if readings := first_word(sample, decision.candidates[:_CANDIDATES_NAMED]):
        reasons.append(f"its first such word reads {readings}")
    if second.encoding:
        of_language = f" of language {second.language}" if second.language else ""
        reasons.append(f"a general detector takes it for {second.encoding}{of_language}")
    return f"{'; '.join(reasons)}: set --language to the language of the text"


def _refuse_lie(file: _File, declared: str, encoding: str, sample: Sample) -> None:
    """Raises where another encoding of the language reads well, and the declared one gives text that is none."""
    decision = decide(sample, file.language)
    believed = decide(sample, file.language, encodings=(encoding,))
    if decision.confidence >= CERTAIN and believed.confidence < 1 - CERTAIN:
        raise file.refusal(
            f"declares {declared}, but reads as {_called(file.language)} in {decision.encodings[0]} only: mend the "
            "declaration"
        )


def _called(language: str) -> str:
    return str(section(language, "writing").get("name", f"language {language!r}"))
