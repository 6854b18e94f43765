"""Blocks of lines against the rules, line by line."""

import itertools

from hypothesis import given, settings
from hypothesis import strategies as st

from preprocessing.sources.paragraphs import joins_without_space, paragraphs_of

_LINES = st.lists(
    st.sampled_from(
        ["word", "Word", "long-word", " ", "  ", "-", "\t", "|", "   ", "中文", "é", "“so", "wordwordword"]
    ),
    min_size=1,
    max_size=8,
).map("".join)
_BLOCKS = st.lists(_LINES.map(str.rstrip).filter(bool), min_size=1, max_size=6)


def by_the_rules(block: list[str], margin: int) -> list[str]:
    def is_forced(line: str, following: str, at: int) -> bool:
        return len(line) + 1 + len(following.split(None, 1)[0].split("-", 1)[0]) > at

    pairs = list(itertools.pairwise(block))
    lines = [line.strip() for line in block]
    table = sum("   " in line or "\t" in line or "|" in line for line in lines) * 2 > len(block)
    if len(block) == 1 or not margin or table:
        return lines
    local = max(map(len, block[:-1]))
    is_prose = sum(is_forced(*pair, margin) for pair in pairs) * 2 > len(pairs) or (
        sum(is_forced(*pair, local) for pair in pairs) * 3 >= len(pairs) * 2
        and sum(line.lstrip(" \t\"'“‘«(_*")[:1].islower() for _, line in pairs) * 2 > len(pairs)
    )
    if not is_prose:
        return lines
    indents = [len(line) - len(line.lstrip()) for line in block]
    found = [lines[0]]
    for number in range(1, len(block)):
        if indents[number] >= min(indents[1:]) + 2 and not is_forced(*pairs[number - 1], margin):
            found.append(lines[number])
            continue
        is_hyphened = found[-1].endswith("-") and len(found[-1]) > 1 and found[-1][-2] != " "
        apart = "" if is_hyphened or joins_without_space(found[-1], lines[number]) else " "
        found[-1] += apart + lines[number]
    return found


@settings(max_examples=400)
@given(_BLOCKS, st.sampled_from([0, 8, 14, 20, 40]))
def test_a_block_is_cut_and_joined_by_the_rules(block: list[str], margin: int) -> None:
    assert paragraphs_of(block, margin) == by_the_rules(block, margin)
