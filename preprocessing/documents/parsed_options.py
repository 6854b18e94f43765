"""How the documents of a command come to be, where some of its inputs are parsed already.

What a parsed corpus was made with holds for the whole command: it stands in a build's configuration, raw inputs beside
the corpus are read the same way, and an option that says otherwise is refused, since it could do nothing.
"""

import argparse
from collections.abc import Iterator, Mapping
from typing import Any

from preprocessing.arguments import build_model
from preprocessing.documents.identity import source_identity, with_template_map
from preprocessing.documents.options import DocumentOptions, ParseOptions
from preprocessing.errors import PreprocessingError
from preprocessing.sources.options import InputOptions
from preprocessing.sources.parsed_corpus import ParsedCorpus
from preprocessing.storage import location

# Options below these say nothing about a corpus without one of these sources.
_SOURCES_OF = {
    "wikitext": frozenset({"wikipedia"}),
    "books": frozenset({"books", "text"}),
    "sentences": frozenset({"sentences"}),
    "records": frozenset({"jsonlines", "parquet", "huggingface"}),
}

# Options that are read into another one before anything is done.
_SAID_BY = {"wikitext.templates": "template_map"}

_SHOWN = 60  # characters of a value in a message


def parsed_identity(options: ParseOptions) -> dict[str, Any]:
    """All options that change the documents of a parsed corpus, as plain data that is the same on every machine."""
    identity = source_identity(DocumentOptions(**dict(options)))
    return {name: value for name, value in identity.items() if name in ParseOptions.model_fields}


def document_options(known: argparse.Namespace) -> DocumentOptions:
    """The options of a command's documents: those of its `--corpus` folders, for the rest what was given.

    Raises PreprocessingError where an option, or another corpus, says something else.
    """
    asked = with_template_map(build_model(DocumentOptions, known))
    folders = build_model(InputOptions, known).corpus
    if not folders:
        return asked
    bound: dict[str, tuple[Any, str]] = {}
    idle: dict[str, Any] = {}
    for folder in folders:
        corpus = ParsedCorpus.read(location(folder, "--corpus"))
        for name, value in _leaves(corpus.options):
            if not corpus.sources & _SOURCES_OF.get(name.split(".")[0], corpus.sources):
                idle.setdefault(name, value)
                continue
            other, place = bound.setdefault(name, (value, folder))
            if other != value:
                raise PreprocessingError(
                    f"--corpus {place} and {folder} were parsed with other options ({name}: {_shown(other)} → "
                    f"{_shown(value)}); parse one of them again, with the options of the other."
                )
    given = dict(_leaves(asked.model_dump(mode="json")))
    for name, (value, folder) in bound.items():
        said = _SAID_BY.get(name, name) if _SAID_BY.get(name) in vars(known) else name
        if said in vars(known) and given[name] != value:
            option = f"--{said.replace('_', '-')}"
            raise PreprocessingError(
                f"{option} {_shown(given[name])} can do nothing: the documents of --corpus {folder} were parsed with "
                f"{_shown(value)}; leave the option out, or parse the raw inputs with it."
            )
    used = {name: value for name, value in idle.items() if not {name, _SAID_BY.get(name)} & vars(known).keys()}
    used |= {name: value for name, (value, _) in bound.items()}
    return DocumentOptions.model_validate(_replaced(asked.model_dump(mode="json"), used))


def _leaves(data: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, Any]]:
    """Dotted name and value of every setting."""
    for name, value in data.items():
        if isinstance(value, Mapping):
            yield from _leaves(value, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", value


def _replaced(data: dict[str, Any], values: Mapping[str, Any], prefix: str = "") -> dict[str, Any]:
    return {
        name: _replaced(value, values, f"{prefix}{name}.")
        if isinstance(value, dict)
        else values.get(f"{prefix}{name}", value)
        for name, value in data.items()
    }


def _shown(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    text = ",".join(map(str, value)) if isinstance(value, list) else str(value)
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"
