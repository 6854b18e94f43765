"""Which paragraphs of a book are headings of chapters."""

import re
from collections.abc import Iterable, Iterator

_LONGEST_HEADING = 100
_KINDS = (
    "chapter|book|part|volume|vol\\.|canto|act|scene|letter|stave|section|"
    "kapitel|teil|buch|chapitre|livre|capítulo|capitulo|libro|capitolo|hoofdstuk|глава|часть"
)
_NUMBER = (
    "[ivxlcdm]{1,8}|[0-9]{1,4}|the\\s+(?:first|second|third|fourth|fifth|sixth|last)|"
    "(?:one|two|three|four|five|six|seven|eight|nine|ten|eleven|twelve|(?:thir|four|fif|six|seven|eigh|nine)teen|"
    "twenty|thirty|forty|fifty)(?:[-\\s](?:one|two|three|four|five|six|seven|eight|nine))?|first|second|third|"
    "fourth|fifth|last"
)
# After the number: nothing, punctuation and a title, or a title that begins with a capital. "Book I read" is none.
_NUMBERED = re.compile(rf"(?i:(?:{_KINDS})\s+(?:{_NUMBER}))(?![\w'’])(?:\s*[.:,;—–\-\]]+.*|\s+[^a-z].*|\s*)")
_NAMED = re.compile(
    r"(?:preface|prologue|epilogue|introduction|foreword|afterword|conclusion|contents|table of contents|"
    r"appendix(?: \w{1,4})?|the end|end|finis|fin|ende)\W*",
    re.IGNORECASE,
)
_BARE_NUMBER = re.compile(r"[IVXLCDM]{1,8}\.?|[0-9]{1,3}\.")


def is_heading(block: list[str]) -> bool:
    """Whether a block of lines is the heading of a chapter, part or act, alone or with its title below."""
    if len(block) > 3 or sum(map(len, block)) > _LONGEST_HEADING:
        return False
    first = block[0].strip().strip("*_=[] ")
    if len(block) == 1 and (_NAMED.fullmatch(first) or _BARE_NUMBER.fullmatch(first)):
        return True
    return bool(_NUMBERED.fullmatch(first))


def is_subtitle(block: list[str]) -> bool:
    """Whether the block right below a heading is the chapter's title: one short line that is no sentence."""
    return len(block) == 1 and len(block[0].strip()) <= 60 and block[0].rstrip()[-1:] not in ".!?:;,\"'”’"


def chapters_of(blocks: Iterable[tuple[bool, list[str]]], keep_headings: bool) -> Iterator[tuple[str, list[str]]]:
    """(title, paragraphs) for each chapter, from (is heading, paragraphs) blocks; headings in a row join.

    What stands before the first heading has an empty title. One chapter is in memory at a time.
    """
    title: list[str] = []
    paragraphs: list[str] = []
    for heading, texts in blocks:
        if heading:
            if paragraphs:
                yield " ".join(title), title * keep_headings + paragraphs
                title, paragraphs = [], []
            title = title + texts
        else:
            paragraphs.extend(texts)
    if paragraphs:
        yield " ".join(title), title * keep_headings + paragraphs
