"""Bold and italic: which apostrophes of a line are marks, as MediaWiki decides it (`doQuotes` of its Parser).

A run of two is italic, of three bold, of five both; of four or more than five, the first ones are text. Where a line
has an odd number of both marks, the first apostrophe of one bold mark is text: after a word of one letter
(`un l'''ami''`), else after a longer word (`''Tom'''s`), else after a space.
"""

import re

_RUN = re.compile("(''+)")


def without_marks(line: str) -> str:
    """The line without its marks of bold and italic; apostrophes that are text stay."""
    if "'''" not in line:
        return line.replace("''", "")
    pieces = _RUN.split(line)
    parts, runs = pieces[::2], [len(run) for run in pieces[1::2]]
    bold = italic = 0
    for place, length in enumerate(runs):
        if length == 4:
            parts[place] += "'"
            runs[place] = 3
        elif length > 5:
            parts[place] += "'" * (length - 5)
            runs[place] = 5
        bold += runs[place] != 2
        italic += runs[place] != 3
    if bold % 2 and italic % 2:
        broken = _mark_to_break(parts, runs)
        if broken is not None:
            parts[broken] += "'"
    return "".join(parts)


def _mark_to_break(parts: list[str], runs: list[int]) -> int | None:
    """Which mark of bold begins with an apostrophe that is text; None where the line has no mark of bold alone."""
    after_word = after_space = None
    for place, length in enumerate(runs):
        if length != 3:
            continue
        before = parts[place]
        if before.endswith(" "):
            after_space = place if after_space is None else after_space
        elif before[-2:-1] == " ":
            return place
        else:
            after_word = place if after_word is None else after_word
    return after_space if after_word is None else after_word
