"""What a link shows: its label, its target, or nothing (files, categories, other languages)."""

from dataclasses import dataclass

from preprocessing.wikitext.edition import hidden_namespaces
from preprocessing.wikitext.language_codes import LANGUAGE_CODES

FILE_NAMESPACE, CATEGORY_NAMESPACE = 6, 14


@dataclass(frozen=True, slots=True)
class Site:
    """A wiki: what its dump says of its namespaces, in lower case, and which language it is written in.

    `hidden_namespaces` are those whose links show nothing; the table of the language knows them and their aliases too.
    `language` is ISO 639-1 or an edition's code, English where it is "". `template_map`: (name, expression) of
    templates that the user has mapped.
    """

    hidden_namespaces: frozenset[str] = frozenset()
    namespaces: frozenset[str] = frozenset()
    language: str = ""
    template_map: tuple[tuple[str, str], ...] = ()

    @classmethod
    def from_namespaces(
        cls, names: dict[int, str], language: str = "", template_map: tuple[tuple[str, str], ...] = ()
    ) -> "Site":
        """From the namespaces of a dump's `<siteinfo>`, number to local name."""
        local = {names[key].lower() for key in (FILE_NAMESPACE, CATEGORY_NAMESPACE) if names.get(key)}
        named = {name.lower() for name in names.values() if name}
        known = hidden_namespaces(language)
        return cls(known | local, known | named, language, template_map)


def is_hidden(target: str, site: Site) -> bool:
    """Whether a link to `target` shows nothing where it stands. A leading colon makes any link visible."""
    prefix, colon, _ = target.partition(":")
    if not colon:
        return False
    name = prefix.strip().lower().replace("_", " ")
    return name in site.hidden_namespaces or name in hidden_namespaces(site.language) or name in LANGUAGE_CODES


def shown_text(target: str, label: str | None, site: Site) -> str:
    """The text of a link without nested markup; "" when it shows nothing."""
    if ":" in target and is_hidden(target, site):
        return ""
    if label:
        return label
    target = target.strip()
    if label is None:
        return target.removeprefix(":").removeprefix("#")
    return _pipe_trick(target)


def _pipe_trick(target: str) -> str:
    # [[Help:Pipe (computing)|]] shows "Pipe"; [[Boston, Massachusetts|]] shows "Boston".
    name = target.removeprefix(":").rpartition(":")[2]
    bracket = name.rfind("(")
    if bracket > 0 and name.endswith(")"):
        return name[:bracket].strip()
    return name.partition(", ")[0].strip()
