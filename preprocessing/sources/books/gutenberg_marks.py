"""The marks of Project Gutenberg, line by line, in all the forms that it has used since 1971, and in some languages.

What a line looks like is decided here; whether it is what it looks like, in `gutenberg.py`.
"""

import re

_FIRST_LINES = 60
_CREDIT_LINES = 12
_LONGEST_MARK = 300  # characters of a line; longer ones are paragraphs
_PROJECT = r"(?:proje[ck]ti?|projet|proyecto|progetto|projeto)\s+gutenberg(?:['’]?s)?"
_START_WORDS = r"start|begin(?:ning)?|anfang|beginn|d[ée]but|in[ií]cio|inizio"
_END_WORDS = r"end|ende|fin|fine|fim|einde|slut|koniec|loppu"
# A marker fills its line, or begins it and ends some lines on; what goes on behind its stars is a quotation.
_START = re.compile(rf"\s*\*+\s*(?:{_START_WORDS})\b(?=.*gutenberg)(?:[^*]*|.*\*{{2,}}\s*)", re.IGNORECASE)
_END = re.compile(rf"\s*\*+\s*(?:{_END_WORDS})\b(?=.*gutenberg)(?:[^*]*|.*\*{{2,}}\s*)", re.IGNORECASE)
_LAST_LINE = re.compile(
    rf"\s*\**\s*(?:{_END_WORDS})\s+(?:of\s+)?(?:the\s+|this\s+|die[a-z]+\s+|de[a-z]*\s+|du\s+|dit\s+|het\s+|ce\s+)*"
    rf"{_PROJECT}\s+(?:\S.*\b(?:by|von|par|por|di|door|af|av)\b.*|.*\b(?:e-?texte?s?|e-?books?|edition|works?)\b.*)"
    r"|\s*this site is full of free ebooks\b.*|\W*project gutenberg(?: of)? australia\W*",
    re.IGNORECASE,
)
_PRINT_BEGINS = re.compile(r"\s*\*+\s*START\s*\*+\s*THE SMALL PRINT|\s*Why is this \"Small Print", re.IGNORECASE)
_PRINT_ENDS = re.compile(r"\s*\*+\s*END\s*\**\s*THE SMALL PRINT", re.IGNORECASE)
_TITLE_LINE = re.compile(
    rf"\W*(?:this is )?(?:the |a )?(?:{_PROJECT}(?: of australia)?\s+"
    r"(?:e-?texts?|e-?books?|edition|release|file|presents)\b"
    r"|project gutenberg['’]s\s+\S.*,\s+by\s+\S)",
    re.IGNORECASE,
)
_FIELD = re.compile(
    r"\s*(?:title|author|editor|translator|illustrator|language|release date|posting date|last updated|most recently "
    r"updated|credits|character set encoding|e-?book no\.?|edition|date first posted|first posted|subtitle|original "
    r"publication|other information and formats)\s*:",
    re.IGNORECASE,
)
_OWN = re.compile(
    r"gutenberg|\be-?(?:text|book|mail)s?\b|electronic work|copyright|licen[sc]e|donat|warrant|liab(?:le|ility)|"
    r"indemnif|refund|small print|trademark|public domain|www\.|https?:|\bftp\b|\w@\w|produced by|proofread|"
    r"transcri[bp]|scanned|etext|disclaimer|distribut(?:e|ion|ing)|royalt|illinois benedictine|carnegie[ -]mellon|"
    r"\bASCII\b|hypertext|replace the previous|in this header|\bvolunteers?\b|\*\*\*|\*END\*|machine[- ]readable",
    re.IGNORECASE,
)
_TITLE = re.compile(r"title:\s*(\S.*)", re.IGNORECASE)
_CREDIT = re.compile(
    r"\s*(?:\[?\s*transcriber['’]?s?['’]? notes?\b|e-?text prepared by\b|this e-?(?:text|book) was "
    r"(?:produced|prepared|created|scanned|typed)|html version by\b|scanned and proof)",
    re.IGNORECASE,
)
_PRODUCED = re.compile(r"\s*[Pp]roduced by (?:the |an? )?[A-Z]")


def kind_of(line: str, after_blank: bool) -> str:
    """What a line is among the project's, "" for nothing.

    That is "start", "end" ("alone" with stars and behind a blank line), "print", "print_end" or "title".
    """
    if len(line) > _LONGEST_MARK:
        return ""
    if _PRINT_ENDS.match(line):
        return "print_end"
    if _PRINT_BEGINS.match(line):
        return "print"
    if _START.fullmatch(line):
        return "start"
    if _END.fullmatch(line):
        return "alone" if after_blank else "end"
    if after_blank and _LAST_LINE.fullmatch(line):
        return "end"
    return "title" if after_blank and _TITLE_LINE.match(line) else ""


def looks_own(line: str) -> bool:
    """Whether a line holds words that the project's own text is made of."""
    return bool(_OWN.search(line) or _FIELD.match(line))


def title_of(header: list[str]) -> str:
    """The book's title, as its header says it; "" where it does not."""
    return next((found[1].strip() for line in header if (found := _TITLE.match(line))), "")


def is_front_credit(block: list[str], lines_before: int) -> bool:
    """Whether a block near the top is not the book but its digital edition (who typed it, which release)."""
    first = block[0].lstrip()[:_LONGEST_MARK]
    if lines_before > _FIRST_LINES or (len(block) > _CREDIT_LINES and not _CREDIT.match(first)):
        return False
    if _CREDIT.match(first) or _TITLE_LINE.match(first) or _PRODUCED.match(first):
        return True
    return first[:1] in ("[", "*") and any("Project Gutenberg" in line for line in block)
