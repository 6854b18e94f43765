"""Every difference to mwparserfromhell on the pages of a real dump has a name; `pytest -s` prints how many each has.

Both sides read the pages without their templates, which are no matter of markup. Headings, tables, references, files
and other languages are left out on purpose and go on the other side too; what is left is compared word by word.
"""

import difflib
import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from benchmarks.wikitext import Pages, read_wikitext, sample_dump
from preprocessing.wikitext import Site, WikitextOptions, extract
from preprocessing.wikitext.links import is_hidden
from preprocessing.wikitext.markup_tokens import BLOCK_TAGS, DROPPED_TAGS, INLINE_TAGS

mwparserfromhell = pytest.importorskip("mwparserfromhell")

_OPTIONS = WikitextOptions(keep_lists=True)
_WORD = re.compile(r"\w+|\^")
_INNERMOST_TEMPLATE = re.compile(r"\{\{[^{}]*\}\}")
_QUOTED_TEMPLATE = re.compile(r"(?<=')\{\{[^{}]*\}\}(?=')")
_LINK_WITHOUT_LABEL = re.compile(r"\[\[([^\[\]|]+)\|[\s']*\]\]")
_OBJECTS = frozenset({"formula", "score", "hieroglyphs"})


@dataclass(frozen=True)
class Difference:
    """Words of the reference and of the reader that stand in the same place of a page."""

    theirs: list[str]
    ours: list[str]
    source: str


def only_theirs(rule: Callable[[list[str]], bool]) -> Callable[[Difference], bool]:
    return lambda difference: not difference.ours and rule(difference.theirs)


def is_title_of_an_empty_label(difference: Difference) -> bool:
    titles = {tuple(_WORD.findall(title)) for title in _LINK_WITHOUT_LABEL.findall(difference.source)}
    return not difference.theirs and tuple(difference.ours) in titles


def is_lost_behind_odd_apostrophes(difference: Difference) -> bool:
    """It closes bold and italics at their next mark, wherever that is; MediaWiki does so where the line ends."""
    beginning = re.search(r"\W+".join(map(re.escape, difference.ours[:5])), difference.source)
    if difference.theirs or beginning is None:
        return False
    before = difference.source[max(0, beginning.start() - 600) : beginning.start()]
    return any(len(re.findall("''+", line)) % 2 for line in before.split("\n"))


NAMES: dict[str, Callable[[Difference], bool]] = {
    "a formula is named": lambda d: [word for word in d.ours if word not in _OBJECTS] == d.theirs,
    "a power is marked": lambda d: "^" in d.ours and "".join(d.ours).replace("^", "") == "".join(d.theirs),
    "it takes a reference for text": only_theirs(lambda words: words[0] == "ref"),
    "it takes a table for text": only_theirs(lambda words: {"class", "style"} <= set(words)),
    "it takes a file for text": only_theirs(lambda words: words[0] == "File"),
    "it takes a tag for text": only_theirs(lambda words: all(word in BLOCK_TAGS | INLINE_TAGS for word in words)),
    "it shows a switch": only_theirs(lambda words: all(re.fullmatch("__[A-Z]+__", word) for word in words)),
    "it shows nothing where a label is empty": is_title_of_an_empty_label,
    "it loses text behind odd apostrophes": is_lost_behind_odd_apostrophes,
}


def reference_lines(text: str, site: Site) -> list[tuple[str, ...]]:
    """The words of every line that mwparserfromhell shows, without what the reader leaves out on purpose."""
    lines = "".join(_shown(mwparserfromhell.parse(text), site)).split("\n")
    return [words for line in lines if (words := tuple(_WORD.findall(line)))]


def _shown(code: object, site: Site) -> Iterator[str]:
    for node in getattr(code, "nodes", ()):
        match type(node).__name__:
            case "Text":
                yield str(node)
            case "HTMLEntity":
                yield node.normalize()
            case "Tag" if str(node.tag).lower() not in DROPPED_TAGS | {"table"}:
                yield from _shown(node.contents, site)
            case "Wikilink" if not is_hidden(str(node.title), site):
                yield from _shown(node.title if node.text is None else node.text, site)
            case "ExternalLink":
                yield from _shown(node.title if node.brackets else node.url, site)


def without_templates(text: str) -> str:
    """The page without templates; a dash keeps apart the apostrophes on both sides of one."""
    shorter = ""
    while shorter != text:
        shorter, text = text, _INNERMOST_TEMPLATE.sub("", _QUOTED_TEMPLATE.sub("–", text))
    return text


def changes(before: Sequence[object], after: Sequence[object]) -> Iterator[tuple[slice, slice]]:
    for kind, a, b, c, d in difflib.SequenceMatcher(None, before, after, autojunk=False).get_opcodes():
        if kind != "equal":
            yield slice(a, b), slice(c, d)


def differences(text: str, site: Site) -> Iterator[Difference]:
    """By paragraphs first, then by words: comparing all words of a long page at once takes its square."""
    theirs = reference_lines(text, site)
    ours = [tuple(_WORD.findall(paragraph)) for paragraph in extract(text, _OPTIONS, site).paragraphs]
    for lines, paragraphs in changes(theirs, ours):
        wanted = [word for line in theirs[lines] for word in line]
        found = [word for paragraph in ours[paragraphs] for word in paragraph]
        for a, b in changes(wanted, found):
            yield Difference(wanted[a], found[b], text)


@pytest.mark.slow
def test_every_difference_has_a_name(request: pytest.FixtureRequest) -> None:
    try:
        pages: Pages = read_wikitext(sample_dump())
    except FileNotFoundError:
        shared_data: Path = request.getfixturevalue("shared_data")
        pages = read_wikitext(shared_data / "wikipedia" / "enwiki-sample-pages-articles.xml.bz2")
    counts: Counter[str] = Counter()
    unnamed = []
    for page in pages.texts:
        for difference in differences(without_templates(page), pages.site):
            name = next((name for name, rule in NAMES.items() if rule(difference)), None)
            if name is None:
                unnamed.append((difference.theirs[:20], difference.ours[:20]))
            else:
                counts[name] += 1
    print("\n" + "\n".join(f"{count:6} {name}" for name, count in counts.most_common()))
    assert unnamed == []
    assert set(counts) == set(NAMES)  # a rule that names nothing any more goes
