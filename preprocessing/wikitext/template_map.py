"""`--template-map FILE`: what templates show that the tables of the languages do not know.

    "flagge" = "first"
    "jahrhundert" = "{1}. Jahrhundert"

A TOML file of names and expressions; the expressions are those of the tables (`templates/expressions.py`).
"""

import tomllib

from preprocessing.errors import PreprocessingError, of_system
from preprocessing.storage import location, refuse_unknown_scheme
from preprocessing.wikitext.edition import Edition
from preprocessing.wikitext.templates.expansion import TemplateMap, canonical
from preprocessing.wikitext.templates.expressions import compile_expression

OPTION = "--template-map"
_SEPARATOR = " = "
_SIZE_LIMIT = 4 << 20


def read_template_map(path: str) -> tuple[str, ...]:
    """The entries of the file as `name = expression`, sorted. Raises PreprocessingError."""
    refuse_unknown_scheme(OPTION, path)
    try:
        with location(path, OPTION).open("rb") as stream:
            content = stream.read(_SIZE_LIMIT + 1)
    except OSError as error:
        raise of_system(error, f"{OPTION} {path} cannot be read ({error.strerror}); check the path.") from error
    if len(content) > _SIZE_LIMIT:
        raise PreprocessingError(f"{OPTION} {path} is larger than {_SIZE_LIMIT >> 20} MiB; give a TOML file of names.")
    try:
        table = tomllib.loads(content.decode("utf-8-sig"))
    except (UnicodeDecodeError, tomllib.TOMLDecodeError) as error:
        raise PreprocessingError(
            f'{OPTION} {path} is not TOML ({error}); each line says "name of a template" = "renderer".'
        ) from error
    entries: dict[str, str] = {}
    for name, expression in table.items():
        if not isinstance(expression, str):
            raise PreprocessingError(
                f'{OPTION} {path}: {name} is no text; each line says "name of a template" = "renderer".'
            )
        try:
            entries[checked_name(name)] = checked_expression(expression)
        except ValueError as error:
            raise PreprocessingError(f"{OPTION} {path}: {name}: {error}; mend that line.") from error
    return tuple(f"{name}{_SEPARATOR}{expression}" for name, expression in sorted(entries.items()))


def parsed_map(entries: tuple[str, ...]) -> TemplateMap:
    """Names and expressions of the entries. Raises ValueError where one is none."""
    pairs = []
    for entry in entries:
        name, separator, expression = entry.partition(_SEPARATOR)
        if not separator:
            raise ValueError(f'{entry!r} is not "name{_SEPARATOR}renderer"')
        pairs.append((checked_name(name), checked_expression(expression)))
    return tuple(pairs)


def checked_name(name: str) -> str:
    """The name in one spelling. Raises ValueError for what cannot be a template's name."""
    if not name.strip() or any(mark in name for mark in "[]{}|<>#\n"):
        raise ValueError("that is no name of a template")
    return canonical(name)


def checked_expression(expression: str) -> str:
    """The expression as it is. Raises ExpressionError."""
    compile_expression(expression, Edition())
    return expression.strip()
