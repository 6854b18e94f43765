"""What a template or reference that was left out leaves empty around it: brackets, quotation marks, stops, names.

`(pronounced …; born …)`, `（英語：…）`, `a, …, b`, `“…”`. Only what a gap stands in is looked at: brackets that were
empty in the source stay, `f()`.
"""

import re

from preprocessing.wikitext.literals import GAP

_SPACES = " \t\xa0\u3000"
_STOPS = ",;:、，；：،؛"
# Quotation marks and brackets of which nothing is left but apostrophes: these go whole.
_PAIRS = {
    '"': '"', "“": "”", "„": "“", "«": "»", "‹": "›", "[": "]", "「": "」", "『": "』", "《": "》", "〈": "〉",
    "【": "】", "〔": "〕", "［": "］",
}  # fmt: skip
_HOLLOW_PAIRS = {
    closing: re.compile(rf"{re.escape(opening)}[{_SPACES}']*+{GAP}[{_SPACES}'{GAP}]*+{re.escape(closing)}")
    for opening, closing in _PAIRS.items()
}
# The same mark opens and closes: it opens where no word ends before it.
_HOLLOW_PAIRS['"'] = re.compile(f'"(?<![^\\s(\\[/–—-]"){GAP}++"')
# From each of many gaps in a row the reader would look to the end of the row; so many are not looked past.
_FEW = "{0,8}+"
_BEHIND_GAP = re.compile(rf"{GAP}[{_SPACES}'{GAP}]{_FEW}([{re.escape(''.join(_PAIRS.values()))},;、，；،؛])")
# Round brackets up to the next one or the end of the line, if a gap is among what they hold.
_BRACKETS = {
    "(": re.compile(rf"\(([^()\n{GAP}]*+{GAP}[^()\n]*+)(\)?+)"),
    "（": re.compile(rf"（([^（）\n{GAP}]*+{GAP}[^（）\n]*+)(）?+)"),
}
_NAME_OF_GAP = re.compile(
    rf"(?:^|(?<=[,;、，；،؛]))[^,;、，；،؛:：{GAP}]{{1,40}}[:：][{_SPACES}']*+{GAP}[{_SPACES}'{GAP}]*+(?=[,;、，；،؛]|$)"
)
_STOP_MARKS = frozenset(",;、，；،؛")
_STOP_BEHIND_GAP = re.compile(rf"{GAP}[{_SPACES}{GAP}]{_FEW}[,;、，；،؛](?![0-9])([{_SPACES}]{_FEW}(?={GAP}))?+")
_NO_STOP_BEHIND = frozenset(("", "\n", *".!?。！？*#", *_STOPS))
# Blank and gap stand apart from the rest, so that `re` looks for both at once and does not stop at every blank.
_BLANK_BEFORE_STOP = re.compile(rf" {GAP}{GAP}*+(?=[,.;:!?](?:\s|\Z))")
# In a page every blank would be looked at for this: only in brackets.
_BLANK_BEFORE_MARKS = re.compile(rf" ''{GAP}++''(?=[,.;:!?](?:\s|\Z))")
_EDGE = f"{_SPACES}{_STOPS}/†✝'{GAP}"


def mend_gaps(text: str) -> str:
    """The text without what is empty around a gap. Gaps stay, since marks of italics on both sides do not join."""
    if GAP not in text:
        return text
    # Looking at gaps only is many times faster than looking for brackets.
    behind = set(_BEHIND_GAP.findall(text))
    text = _without_hollow_pairs(text, behind)
    for opening, pattern in _BRACKETS.items():
        if opening in text:
            text, is_again = _mended_brackets(text, pattern)
            if is_again:  # brackets that are gone may have stood in brackets
                behind = set(_BEHIND_GAP.findall(text))
                text, _ = _mended_brackets(_without_hollow_pairs(text, behind), pattern)
    return text if behind.isdisjoint(_STOP_MARKS) else _STOP_BEHIND_GAP.sub(_one_stop, text)


def _without_hollow_pairs(text: str, behind: set[str]) -> str:
    """`behind` are the marks that stand behind gaps."""
    mended = text
    for closing, pattern in _HOLLOW_PAIRS.items():
        if closing in behind:
            mended = pattern.sub(GAP, mended)
    return mended if mended is text else _BLANK_BEFORE_STOP.sub(GAP, mended)


def _one_stop(match: re.Match[str]) -> str:
    """Of the stops on both sides of a gap, or between two gaps, only the first stays."""
    if match.group(1):
        return GAP
    start = match.start()
    before = match.string[max(0, start - 4) : start].rstrip(_SPACES + GAP)
    return GAP if before[-1:] in _NO_STOP_BEHIND else match.group()


def _mended_brackets(text: str, pattern: re.Pattern[str]) -> tuple[str, bool]:
    """The text, and whether a bracket is gone from it altogether."""
    pieces: list[str] = []
    done, is_gone = 0, False
    for match in pattern.finditer(text):
        start, end = match.span()
        before, mended = text[done:start], _mended_bracket(match)
        if mended == GAP:
            is_gone = True
            stop, behind = text[end : end + 1], text[end + 1 : end + 2]
            if stop and stop in ",.;:!?" and before.endswith(" ") and (not behind or behind in f" \n{GAP}"):
                before = before[:-1]
        pieces += (before, mended)
        done = end
    return ("".join([*pieces, text[done:]]) if pieces else text), is_gone


def _mended_bracket(match: re.Match[str]) -> str:
    opening, (content, closing) = match.group()[0], match.groups()
    content = _BLANK_BEFORE_MARKS.sub(GAP, content.replace("&nbsp;", "\xa0"))
    if closing:
        content = _NAME_OF_GAP.sub(GAP, content)
        kept = content.rstrip(_EDGE)
        if not kept.strip(f".?!…{_EDGE}"):
            return GAP
        content = kept + _kept_marks(content[len(kept) :], at_end=True)
    kept = content.lstrip(_EDGE)
    edge = content[: len(content) - len(kept)]
    if GAP in edge and kept[:2] in ("– ", "— ", "- "):
        kept = kept[2:].lstrip(" ")
    return opening + _kept_marks(edge, at_end=False) + kept + closing


def _kept_marks(edge: str, at_end: bool) -> str:
    """What stays of an edge of spaces, stops and apostrophes: all if there is no gap in it."""
    if GAP not in edge:
        return edge
    rest = edge.lstrip("'") if at_end else edge.rstrip("'")
    marks = "'" * (len(edge) - len(rest))
    # Marks of italics around what is gone go with it; one that belongs to what stays does not.
    return marks + ("''" if rest.count("''") % 2 else "")
