"""One page of wikitext → its paragraphs, and what was lost on the way."""

from dataclasses import dataclass, field

from preprocessing.wikitext.links import Site
from preprocessing.wikitext.magic_words import without_switches
from preprocessing.wikitext.options import WikitextOptions
from preprocessing.wikitext.paragraphs import to_paragraphs
from preprocessing.wikitext.rendering import Renderer
from preprocessing.wikitext.templates.expansion import canonical, template_table

_NAME_LIMIT = 80


@dataclass(frozen=True, slots=True)
class Extract:
    """`paragraphs` in order; `lost_templates`: characters of dropped templates by canonical name.

    `inline_templates`: of these such as stood inside a line of text and are in no table, so that a sentence may have
    lost something.
    `steps` is the number of marks looked at: the measure of work.
    """

    paragraphs: list[str]
    lost_templates: dict[str, int]
    steps: int
    inline_templates: dict[str, int] = field(default_factory=dict)


def extract(text: str, options: WikitextOptions, site: Site, title: str = "") -> Extract:
    """Linear in the length of the text, whatever the text is. `title` is that of the page, which it may name."""
    lost: dict[str, int] = {}
    renderer = Renderer(without_switches(text, site.language), site, lost, title)
    paragraphs = to_paragraphs(renderer.render(), options.keep_lists)
    table = template_table(site.language, site.template_map)
    unknown = {name: size for name, size in renderer.lost_inline.items() if not table.is_dropped_on_purpose(name)}
    return Extract(paragraphs, _by_name(lost), renderer.steps, _by_name(unknown))


def _by_name(lost: dict[str, int]) -> dict[str, int]:
    by_name: dict[str, int] = {}
    for name, characters in lost.items():
        key = canonical(name)[:_NAME_LIMIT]
        by_name[key] = by_name.get(key, 0) + characters
    return by_name
