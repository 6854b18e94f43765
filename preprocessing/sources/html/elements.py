"""What an element says by its name, its class, its role and its `epub:type`: the tables behind `running_text.py`."""

import re
from collections.abc import Mapping


def _words_of(text: str) -> frozenset[str]:
    return frozenset(text.split())


HEADINGS = frozenset(("h1", "h2", "h3", "h4", "h5", "h6"))
BLOCKS = HEADINGS | _words_of(
    "p div li dt dd blockquote pre td th tr table ul ol dl section article aside header footer figure figcaption "
    "caption body hr main nav address center details summary dialog dir fieldset form hgroup legend listing menu "
    "search thead tbody tfoot title xmp plaintext option optgroup line linegroup level level1 level2 level3 level4 "
    "level5 level6 list poem sidebar"
)
# What is never shown, or shown and no text of the author's; the ones with a name are counted under it.
_LEFT_OUT = {
    **dict.fromkeys(("script", "style", "template", "noscript", "iframe", "object", "audio", "video", "canvas"), ""),
    **dict.fromkeys(("noframes", "noembed", "applet", "map", "datalist", "meta", "link", "base", "col"), ""),
    **dict.fromkeys(("rt", "rp", "rtc"), "readings"),
    "nav": "navigation",
    "svg": "pictures",
    "math": "formulas",
}
_CONTROLS = frozenset(("button", "select", "textarea", "input", "label", "output", "progress", "meter"))
_LEFT_OUT_OF_PAGES = {**dict.fromkeys(_CONTROLS, "forms"), "aside": "asides", "footer": "footers"}
# https://www.w3.org/TR/epub-ssv-11/ and https://www.w3.org/TR/dpub-aria-1.1/
_NOTE_TYPES = _words_of("footnote endnote rearnote footnotes endnotes rearnotes note notes")
_NOTE_ROLES = _words_of("doc-footnote doc-endnote doc-endnotes note-body")
# Classes of Pandoc, Project Gutenberg, MediaWiki and Word, which name notes no other way.
_NOTE_CLASSES = _words_of(
    "footnote footnotes endnote endnotes references reflist msofootnotetext msoendnotetext footnote-text endnote-text"
)
_HIDDEN_CLASSES = _words_of("mw-editsection noprint katex-html")
_RAISED_CLASSES = _words_of("sup super superscript")
_RAISED = re.compile(r"vertical-align\s*:\s*(?:super|text-top|top)", re.IGNORECASE)
_SKIP_CLASSES = _words_of("skip-link skip-to-content screen-reader-shortcut mw-jump-link")
_NAVIGATION = _words_of("toc landmarks page-list loi lot loa lov doc-toc doc-pagelist")
_PAGE_NAVIGATION = frozenset(("navigation", "search", "menu", "menubar", "toolbar", "tablist", "dialog"))
_ASIDES = frozenset(("contentinfo", "complementary"))
_NOTE_LINK = _words_of(
    "noteref backlink doc-noteref doc-backlink footnote-ref footnote-backref footnoteref footnote-reference fnanchor "
    "fnref footnotebacklink footnote-backlink noteanchor note-ref"
)
_PAGE_BREAK = _words_of(
    "pagebreak doc-pagebreak page page-break pagenum pagenumber page-number page_number pageno page-no pgnum "
    "pagebreak-number"
)
_CODE = re.compile(r"\b(?:code|source|highlight|prettyprint|brush|lang(?:uage)?)\b", re.IGNORECASE)
LISTS = frozenset(("ul", "ol", "menu", "dir"))
_HIDDEN = re.compile(r"(?:^|;)\s*(?:display\s*:\s*none|visibility\s*:\s*hidden)", re.IGNORECASE)


def left_out_kind(tag: str, attributes: Mapping[str, str], is_page: bool) -> str | None:
    """Under which name an element with all that it holds is left out ("": not counted); None where it stays."""
    if tag == "head":
        return None if is_page else ""
    kind = _LEFT_OUT.get(tag)
    if kind is not None:
        return kind
    by_tag = _LEFT_OUT_OF_PAGES.get(tag) if is_page else None
    if not attributes:
        return by_tag
    words = _words(attributes)
    if "pg-boilerplate" in words:
        return "gutenberg"
    if tag != "a" and (words & _NOTE_TYPES or words & _NOTE_ROLES):
        return "notes"
    classes = set(attributes["class"].lower().split()) if "class" in attributes else None
    if classes and tag in BLOCKS and tag not in HEADINGS and classes & _NOTE_CLASSES:
        return "notes"
    if classes and classes & _HIDDEN_CLASSES:
        return "hidden"
    if (
        words & _NAVIGATION
        or (is_page and classes and classes & _SKIP_CLASSES)
        or (is_page and words & _PAGE_NAVIGATION)
    ):
        return "navigation"
    if is_page and words & _ASIDES:
        return "asides"
    hidden = attributes.get("hidden")
    if is_page and attributes.get("aria-hidden", "").lower() == "true":
        return "hidden"
    if (hidden is not None and hidden.lower() != "until-found") or _HIDDEN.search(attributes.get("style", "")):
        return "hidden"
    return by_tag


def is_raised(attributes: Mapping[str, str]) -> bool:
    """Whether a span stands above the line, as `<sup>` does."""
    classes = attributes.get("class", "").lower().split()
    return not _RAISED_CLASSES.isdisjoint(classes) or bool(_RAISED.search(attributes.get("style", "")))


def decision(tag: str, attributes: Mapping[str, str], is_page: bool) -> str:
    """What is decided about an element's text when it closes: "" for nothing."""
    if tag == "pre" and _CODE.search(attributes.get("class", "")):
        return "code"
    if is_page and tag in ("table", "form"):
        return tag
    if is_page and tag in LISTS:
        return "list"
    if not attributes:
        return ""
    words = _words(attributes) | set(attributes.get("class", "").lower().split())
    if words & _PAGE_BREAK:
        return "page_number"
    if words & _NOTE_LINK:
        return "note_link"
    return "local_note_link" if tag == "a" and "#" in attributes.get("href", "") else ""


def _words(attributes: Mapping[str, str]) -> set[str]:
    """The words of `epub:type` and `role`; and the class that Project Gutenberg puts on its own text."""
    words: set[str] = set()
    for name, value in attributes.items():
        if name == "role" or name.endswith(":type"):
            words |= set(value.lower().split())
        elif name == "class" and "pg-boilerplate" in value:
            words.add("pg-boilerplate")
    return words
