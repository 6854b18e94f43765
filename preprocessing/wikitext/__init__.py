"""Wikitext to plain paragraphs in one linear pass, without a tree."""

from preprocessing.tally import Tally
from preprocessing.wikitext.extraction import Extract, extract
from preprocessing.wikitext.links import Site
from preprocessing.wikitext.options import WikitextOptions

__all__ = ["Extract", "Site", "WikitextOptions", "extract", "to_paragraphs"]


def to_paragraphs(text: str, options: WikitextOptions, tally: Tally, site: Site | None = None) -> list[str]:
    """The prose of a page, one string per paragraph or list item; what templates lost goes into the tally.

    Headings part paragraphs and are no text. Never raises on any text, and costs time linear in its length.
    """
    page = extract(text, options, site or Site())
    for name, characters in page.lost_templates.items():
        tally.lose_template(name, characters)
    return page.paragraphs
