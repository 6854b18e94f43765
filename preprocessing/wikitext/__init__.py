"""Wikitext → plain paragraphs in one linear pass, without a tree.

In: the source of one page. Out: one string per paragraph or list item, and the characters that went with templates, by
their names. Open first: `extraction.py`, then `rendering/`: tokens (`markup_tokens.py`) with a stack of open
templates; what is skipped whole is found by `scanner.py`, what a link shows is in `links.py`, what templates show in
`templates/`, what is said of a language in `edition.py`. Then lines (`paragraphs.py`): apostrophes, character
references, and what `literals.py` hid from all that.
"""

from preprocessing.tally import Tally
from preprocessing.wikitext.extraction import Extract, extract
from preprocessing.wikitext.language_codes import LANGUAGE_CODES
from preprocessing.wikitext.links import Site
from preprocessing.wikitext.options import WikitextOptions

__all__ = [
    "LANGUAGE_CODES",
    "Extract",
    "Site",
    "WikitextOptions",
    "disambiguation",
    "extract",
    "extraction",
    "links",
    "magic_words",
    "markup_tokens",
    "options",
    "template_map",
    "to_paragraphs",
]


def to_paragraphs(text: str, options: WikitextOptions, tally: Tally, site: Site | None = None) -> list[str]:
    """The prose of a page, one string per paragraph or list item; what templates lost goes into the tally.

    Headings part paragraphs and are no text. Never raises on any text, and costs time linear in its length.
    """
    page = extract(text, options, site or Site())
    for name, characters in page.lost_templates.items():
        tally.lose_template(name, characters, page.inline_templates.get(name, 0))
    return page.paragraphs
