"""One page of wikitext → its paragraphs, and what was lost on the way."""

import functools
from dataclasses import dataclass, field

from preprocessing.wikitext.links import Site
from preprocessing.wikitext.literals import without_own_characters
from preprocessing.wikitext.magic_words import without_switches
from preprocessing.wikitext.options import WikitextOptions
from preprocessing.wikitext.paragraphs import to_paragraphs
from preprocessing.wikitext.rendering import Renderer
from preprocessing.wikitext.scanner import without_comments
from preprocessing.wikitext.templates.expansion import canonical, template_table
from preprocessing.wikitext.variants import resolve_variants

_NAME_LIMIT = 80
_cached_canonical = functools.lru_cache(maxsize=1 << 14)(canonical)


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
    source = without_comments(text)
    if site.language:
        source = resolve_variants(source, site.language)
    renderer = Renderer(source, site, title)
    rendered = renderer.render()
    if not site.language and "{" in rendered and "-{" in rendered:
        # Where no language is named few pages have marks of conversion, and looking for them in every source would
        # cost time: a page that shows one is read again.
        renderer = Renderer(resolve_variants(source), site, title)
        rendered = renderer.render()
    output = renderer.output
    if output.has_literals and (clean := without_own_characters(text)) != text:
        return extract(clean, options, site, title)
    rendered = without_switches(rendered, site.language)
    paragraphs = to_paragraphs(rendered, options.keep_lists, output.has_literals)
    table = template_table(site.language, site.template_map)
    unknown = {name: size for name, size in output.lost_inline.items() if not table.is_dropped_on_purpose(name)}
    return Extract(paragraphs, _by_name(output.lost), renderer.steps, _by_name(unknown))


def _by_name(lost: dict[str, int]) -> dict[str, int]:
    by_name: dict[str, int] = {}
    for name, characters in lost.items():
        # Pages share most of their templates; only long names are each a page's own.
        key = (_cached_canonical(name) if len(name) <= _NAME_LIMIT else canonical(name))[:_NAME_LIMIT]
        by_name[key] = by_name.get(key, 0) + characters
    return by_name
