"""Templates whose text belongs to the sentence around them; every other template is dropped and counted.

A renderer takes the arguments as they stand between the pipes, already rendered, and returns text. Which template has
which is said by the table of the page's language and by the international one, and by nobody else's: `{{s}}` is a
century in French and a short span in Russian.
"""

import functools
import re
from collections.abc import Callable, Iterator

from preprocessing.wikitext.edition import Edition, edition, international
from preprocessing.wikitext.templates.expressions import DROP, Render, compile_expression

TemplateMap = tuple[tuple[str, str], ...]
"""(name, expression) of templates that the user has mapped."""

# Parser functions that only write their argument in another way: {{lc:ABC}}.
_FUNCTIONS: dict[str, Callable[[str], str]] = {
    "formatnum": str,
    "lc": str.lower,
    "uc": str.upper,
    "lcfirst": lambda text: text[:1].lower() + text[1:],
    "ucfirst": lambda text: text[:1].upper() + text[1:],
}
_SUBSTITUTION = re.compile(r"\s*(?:subst|safesubst|msg|msgnw)\s*:", re.IGNORECASE)
_WILD = {"*": r"(\S+?)", "#": "([0-9]+)", "@": "((?-i:[IVXLCDM]+))"}
_CACHE_LIMIT = 1 << 16
_CACHED_NAME_LIMIT = 100


def canonical(name: str) -> str:
    """A template's name in one spelling: lower case, one space between words, no namespace.

    Of a magic word with a value, {{DEFAULTSORT:x}} or {{#if:x}}, only the word: else every page would add a name.
    """
    name = " ".join(name.replace("_", " ").split())
    word, colon, _ = name.partition(":")
    if colon and word and (word[0] == "#" or word == word.upper()):
        return f"{word.lower().strip()}:"
    return name.lower().removeprefix("template:").strip()


class TemplateTable(dict[str, Render | None]):
    """The renderers of one language by names as they are written; None where the template is dropped.

    A dictionary, since it is asked for every template of a page; a name that is asked for the first time is looked up.
    """

    def __init__(self, language: str, template_map: TemplateMap = ()) -> None:
        super().__init__()
        self._on_purpose: dict[str, bool] = {}
        self._tables = (edition(language), international())
        self._spaces = tuple(f"{name.lower()}:" for table in self._tables for name in table.template)
        mapped = {canonical(self._without_namespace(name)): expression for name, expression in template_map}
        # In the order of asking: what the user says, the language, what holds everywhere.
        self._names = (
            {name: mapped[name] for name in mapped if not _is_family(name)},
            *(_by_name(table) for table in self._tables),
        )
        own_families = tuple((family(name), mapped[name]) for name in mapped if _is_family(name))
        self._families = (own_families, *(tuple(_families(table)) for table in self._tables))
        self._functions = {
            name.lower().replace("_", " ").rstrip(":"): _FUNCTIONS[function]
            for table in self._tables
            for function, names in table.functions.items()
            for name in names
        }

    def __missing__(self, name: str) -> Render | None:
        render = self._found(name)
        if len(name) <= _CACHED_NAME_LIMIT:
            if len(self) >= _CACHE_LIMIT:
                self.clear()
            self[name] = render
        return render

    def expression(self, name: str) -> str | None:
        """The expression of a template by its name in any spelling, or None when no table has it."""
        found = self._expression(self._without_namespace(name))
        return found[0] if found else None

    def is_dropped_on_purpose(self, name: str) -> bool:
        """Whether a table says that the template shows no text."""
        known = self._on_purpose.get(name)
        if known is None:
            known = self.expression(name) == DROP
            if len(name) <= _CACHED_NAME_LIMIT and len(self._on_purpose) < _CACHE_LIMIT:
                self._on_purpose[name] = known
        return known

    def _found(self, name: str) -> Render | None:
        name = self._without_namespace(name)
        found = self._expression(name)
        if found is not None:
            expression, star = found
            return compile_expression(expression, self._tables[0], star)
        function, colon, argument = name.partition(":")
        write = self._functions.get(" ".join(function.replace("_", " ").lower().split())) if colon else None
        if write is None:
            return None
        # Behind the colon stands the argument, or what is nested there: {{lc:{{x}}}}.
        return lambda arguments: write(argument.strip() or "".join(arguments[:1]).strip())

    def _without_namespace(self, name: str) -> str:
        name = " ".join(_SUBSTITUTION.sub("", name, count=1).replace("_", " ").split())
        lower = name.lower()
        for space in self._spaces:
            if lower.startswith(space):
                return name[len(space) :].strip()
        return name

    def _expression(self, name: str) -> tuple[str, str] | None:
        """The expression, and what a star in the template's name stands for."""
        key = name.lower()
        for names, families in zip(self._names, self._families, strict=True):
            if key in names:
                return names[key], ""
            for pattern, expression in families:
                if (match := pattern.fullmatch(name)) is not None:
                    return expression, match.group(1) if pattern.groups else ""
        return None


@functools.lru_cache(maxsize=64)
def template_table(language: str, template_map: TemplateMap = ()) -> TemplateTable:
    """The table of a language, made once a process and map."""
    return TemplateTable(language, template_map)


def _by_name(table: Edition) -> dict[str, str]:
    return {
        canonical(name): expression
        for expression, names in table.templates.items()
        for name in names
        if not _is_family(name)
    }


def _is_family(name: str) -> bool:
    return len(name) > 1 and ("??" in name or any(mark in name for mark in _WILD))


def _families(table: Edition) -> Iterator[tuple[re.Pattern[str], str]]:
    for expression, names in table.templates.items():
        for name in filter(_is_family, names):
            yield family(name), expression


def family(name: str) -> re.Pattern[str]:
    """The names that `link-*` and the like stand for; what the mark stands for is the pattern's first group, if any.

    `*` is anything without a blank, `#` a number, `@` a number in Roman capitals. Two or more `?` are small letters,
    and say that case counts, as it does in MediaWiki behind the first character.
    """
    if "??" in name:
        pattern = re.escape(name).replace(r"\?", "[a-z]")
        return re.compile(pattern.replace("[a-z]", "[a-zA-Z]", 1) if name[0] == "?" else pattern)
    parts = [_WILD.get(character) or re.escape(character) for character in name]
    return re.compile("".join(parts), re.IGNORECASE)
