"""Wikipedia: articles of a `pages-articles` dump, one page at a time."""

from collections.abc import Iterator
from contextlib import closing

from preprocessing.languages import plain_language
from preprocessing.sources.decompression import note_ignored
from preprocessing.sources.lines import NO_RECORDS, is_whole_file
from preprocessing.sources.raw_document import RawDocument
from preprocessing.sources.seeking.opening import Piece, open_head, open_stream
from preprocessing.sources.stored_stream import TruncatedInputError
from preprocessing.sources.wikipedia.head import read_head
from preprocessing.sources.wikipedia.pages import MalformedPageError, Page, read_pages
from preprocessing.sources.wikipedia.split_points import split_points
from preprocessing.tally import DOCUMENTS_IN, Tally
from preprocessing.wikitext.disambiguation import is_disambiguation
from preprocessing.wikitext.extraction import extract
from preprocessing.wikitext.links import Site
from preprocessing.wikitext.magic_words import is_redirect
from preprocessing.wikitext.options import WikitextOptions
from preprocessing.wikitext.template_map import parsed_map

__all__ = ["read_articles", "split_points"]

_ARTICLES = 0
# MediaWiki knows these names in every wiki beside its own, so none of its articles begins with one of them.
_NAMESPACES = frozenset(
    f"{name}{talk}"
    for name in ("user", "project", "file", "image", "mediawiki", "template", "help", "category")
    for talk in ("", " talk")
) | {"talk", "special", "media"}

OTHER_LANGUAGE = "wikipedia.articles_in_another_language"
"""Articles of a dump in another language than the one asked for: their sentences are cut by the wrong rules."""


def read_articles(split: Piece, options: WikitextOptions, tally: Tally, language: str = "") -> Iterator[RawDocument]:
    """The articles that begin in the split, in order; `locator` is the page's id.

    Templates mean what they mean in the language that the dump declares, or else in `language`.

    Every page counts as `documents_in`; what is no article is counted by reason: `dropped.namespace`, `.redirect`,
    `.not_wikitext`, `.deleted`, `.disambiguation`, `.empty`, `.malformed`; of a page with several revisions the last
    is read, and `wikipedia.earlier_revisions` counts the others. Raises PreprocessingError when the file is no dump,
    is damaged, or ends early (after every complete page; with `options.accept_truncated` it is counted instead).
    """
    with closing(open_stream(split)) as stream:
        try:
            site = _read_site(split, options, language)
            has_pages = False
            for page in read_pages(stream, options.page_limit_bytes):
                has_pages = True
                tally.count(DOCUMENTS_IN)
                try:
                    if isinstance(page, MalformedPageError):
                        raise page
                    article = _article(page, split, options, site, tally)
                except MalformedPageError as error:
                    tally.reject(f"{split.file}#{error.locator or '?'}", error.reason)
                    continue
                if article is not None:
                    if language and plain_language(site.language) != plain_language(language):
                        tally.count(OTHER_LANGUAGE)
                    yield article
            note_ignored(stream, tally)
            if not has_pages and is_whole_file(split):
                tally.lose_part(split.file, "no pages", NO_RECORDS)
        except TruncatedInputError:
            if not options.accept_truncated:
                raise
            tally.count("truncated_files")


def _article(page: Page, split: Piece, options: WikitextOptions, site: Site, tally: Tally) -> RawDocument | None:
    if page.earlier_revisions:
        tally.count("wikipedia.earlier_revisions", page.earlier_revisions)
    reason = _no_article(page, site)
    if reason:
        tally.count(f"dropped.{reason}")
        return None
    text = page.text()
    if is_redirect(text, site.language):
        tally.count("dropped.redirect")
        return None
    tally.count("wikipedia.characters", len(text))
    result = extract(text, options, site, page.title)
    if not options.keep_disambiguation and is_disambiguation(page.title, text, result.lost_templates, site.language):
        tally.count("dropped.disambiguation")
        return None
    for name, characters in result.lost_templates.items():
        tally.lose_template(name, characters, result.inline_templates.get(name, 0), f"{split.file}#{page.locator}")
    if not result.paragraphs:
        tally.count("dropped.empty")
        return None
    return RawDocument(page.locator, page.title, result.paragraphs)


def _no_article(page: Page, site: Site) -> str:
    if page.namespace is not None:
        is_article = page.namespace == _ARTICLES
    else:  # dumps of before 2011 have no <ns>
        prefix, colon, _ = page.title.partition(":")
        is_article = not colon or not {prefix.strip().lower().replace("_", " ")} & (site.namespaces | _NAMESPACES)
    if not is_article:
        return "namespace"
    if page.is_redirect:
        return "redirect"
    if page.model != "wikitext":
        return "not_wikitext"
    return "deleted" if page.is_deleted else ""


def _read_site(split: Piece, options: WikitextOptions, language: str) -> Site:
    with closing(open_head(split)) as stream:
        head = read_head(stream)
    # A dump says zh, its reader zh-hant: the same language, and the reader's script.
    is_same = not head.language or plain_language(head.language) == plain_language(language)
    return Site.from_namespaces(head.namespaces, language if is_same else head.language, parsed_map(options.templates))
