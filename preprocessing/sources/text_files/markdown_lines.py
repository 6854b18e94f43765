"""The lines of a Markdown file before its blocks are told apart: front matter, notes, formulas, and where to cut."""

import itertools
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

NOTE_LABEL = r"[^\]\s\[^]{1,60}"
_SECTION_CHARACTERS = 1 << 18
_LARGEST_SECTION = 1 << 20
_FRONT_LINES = 200
_FORMULA_LINES = 60
_FENCE = re.compile(r" {0,3}(`{3,}|~{3,})")
_NOTE = re.compile(rf" {{0,3}}\[\^({NOTE_LABEL})\]:")
_FIELD = re.compile(r"[\w .-]{1,60}\s*[:=]")
_TITLE = re.compile(r"title\s*[:=]\s*(\S.*)", re.IGNORECASE)
_FRONT_MARKS = {"---": ("---", "..."), "+++": ("+++",)}


@dataclass(frozen=True, slots=True)
class Section:
    """Some whole blocks: their text without notes and formulas, the labels of those notes, and what was left out."""

    text: str
    labels: frozenset[str]
    left_out: Counter[str]


def plain_lines(lines: Iterable[str]) -> tuple[Iterator[str], str, int]:
    """(lines without the front matter, its title, its characters); a rule that begins a text is no front matter."""
    rest = iter(lines)
    head = list(itertools.islice(rest, 1))
    ends = _FRONT_MARKS.get(head[0].removeprefix("\ufeff").rstrip()) if head else None
    if ends is None:
        return itertools.chain([line.removeprefix("\ufeff") for line in head], rest), "", 0
    for line in itertools.islice(rest, _FRONT_LINES):
        head.append(line)
        if line.rstrip() in ends:
            break
    inner = head[1:-1]
    if head[-1].rstrip() not in ends or len(head) == 1 or not any(map(_FIELD.match, inner)):
        return itertools.chain(head, rest), "", 0
    title = next((found[1].strip().strip("\"'") for line in inner if (found := _TITLE.match(line))), "")
    return rest, title, sum(map(len, inner))


def sections(lines: Iterable[str]) -> Iterator[Section]:
    """The file in parts of some hundred kilobytes; each but the first begins behind a blank line, outside of code."""
    held: list[str] = []
    characters = 0
    fence = ""
    after_blank = False
    for line in lines:
        outside = not fence
        begins_block = outside and after_blank and line[:1] not in (" ", "\t", "")
        if (characters > _SECTION_CHARACTERS and begins_block) or characters > _LARGEST_SECTION:
            yield _section(held)
            held, characters, fence = [], 0, ""
        held.append(line)
        characters += len(line) + 1
        after_blank = not line or line.isspace()
        fence = _fence_after(line, fence)
    if held:
        yield _section(held)


def _fence_after(line: str, fence: str) -> str:
    """The mark of the fenced code that is open behind this line; "" for none."""
    mark = _FENCE.match(line)
    if not mark:
        return fence
    if not fence:
        return mark[1]
    closes = mark[1].startswith(fence) and not line[mark.end() :].strip()
    return "" if closes else fence


def _section(lines: list[str]) -> Section:
    left_out: Counter[str] = Counter()
    labels = set()
    kept: list[str] = []
    fence = ""
    in_note = False
    blank = True
    end_of_formula = 0
    for number, line in enumerate(lines):
        if number < end_of_formula:
            left_out["formulas"] += len(line)
            continue
        if not fence:
            note = _NOTE.match(line)
            if note:
                labels.add(note[1])
                in_note = True
            elif in_note and blank and line[:1] not in (" ", "\t", ""):
                in_note = False
            if in_note:
                left_out["notes"] += len(line)
                blank = not line or line.isspace()
                kept.append("")
                continue
            end_of_formula = _end_of_formula(lines, number)
            if end_of_formula:
                left_out["formulas"] += len(line)
                kept.append("")
                continue
        fence = _fence_after(line, fence)
        blank = not line or line.isspace()
        kept.append(line)
    return Section("\n".join(kept) + "\n", frozenset(labels), left_out)


def _end_of_formula(lines: list[str], number: int) -> int:
    """Behind which line a formula ends that line `number` begins; 0 where none does."""
    line = lines[number].strip()
    if not line.startswith("$$"):
        return 0
    if len(line) > 4 and line.endswith("$$"):
        return number + 1
    if "$$" in line[2:]:
        return 0  # in a sentence
    ends = (
        at for at in range(number + 1, min(number + _FORMULA_LINES, len(lines))) if lines[at].rstrip().endswith("$$")
    )
    return next(ends, -1) + 1
