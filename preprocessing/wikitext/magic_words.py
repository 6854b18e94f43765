"""Magic words in the language of an edition: switches between underscores, and the variables that name the page.

Names are those of MediaWiki's own tables (`languages/messages/Messages*.php`). The English switches are the business of
`paragraphs.py`; the words of a language are looked for only in its own edition.
"""

import functools
import re

from preprocessing.wikitext.edition import edition, international


def without_switches(text: str, language: str) -> str:
    """The text without the language's own switches."""
    switches = _switches(language)
    return switches.sub("", text) if switches is not None and "__" in text else text


@functools.cache
def page_names(language: str) -> frozenset[str]:
    """Variables that show the title of the page, as `{{PAGENAME}}`; case counts, as it does in MediaWiki."""
    return frozenset((*international().page_name, *edition(language).page_name))


def is_redirect(text: str, language: str) -> bool:
    """Whether the page only leads to another: dumps of before 2009 have no mark of their own for it."""
    return text[:1] in ("#", "＃", " ", "\n") and _redirect(language).match(text) is not None


@functools.cache
def _switches(language: str) -> re.Pattern[str] | None:
    names = sorted(edition(language).switches, key=len, reverse=True)
    return re.compile(f"__(?:{'|'.join(map(re.escape, names))})__", re.IGNORECASE) if names else None


@functools.cache
def _redirect(language: str) -> re.Pattern[str]:
    words = sorted({*international().redirect, *edition(language).redirect}, key=len, reverse=True)
    return re.compile(rf"\s{{0,99}}(?:{'|'.join(map(re.escape, words))})\s{{0,9}}:?\s{{0,9}}\[\[", re.IGNORECASE)
