"""One page of wikitext → its paragraphs, and what was lost on the way."""

from dataclasses import dataclass

from preprocessing.wikitext.links import Site
from preprocessing.wikitext.options import WikitextOptions
from preprocessing.wikitext.paragraphs import to_paragraphs
from preprocessing.wikitext.rendering import Renderer
from preprocessing.wikitext.templates.expansion import canonical

_NAME_LIMIT = 80


@dataclass(frozen=True, slots=True)
class Extract:
    """`paragraphs` in order; `lost_templates`: characters of dropped templates by canonical name.

    `steps` is the number of marks looked at: the measure of work.
    """

    paragraphs: list[str]
    lost_templates: dict[str, int]
    steps: int


def extract(text: str, options: WikitextOptions, site: Site) -> Extract:
    """Linear in the length of the text, whatever the text is."""
    lost: dict[str, int] = {}
    renderer = Renderer(text, site, lost)
    paragraphs = to_paragraphs(renderer.render(), options.keep_lists)
    by_name: dict[str, int] = {}
    for name, characters in lost.items():
        key = canonical(name)[:_NAME_LIMIT]
        by_name[key] = by_name.get(key, 0) + characters
    return Extract(paragraphs, by_name, renderer.steps)
