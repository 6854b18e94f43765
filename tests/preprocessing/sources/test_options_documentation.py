"""Every option that the pages on sources name exists."""

import argparse
import re
from pathlib import Path

from preprocessing.arguments import OptionParser, add_models
from preprocessing.documents.bad_share import BadShareOptions
from preprocessing.documents.near_duplicates.signatures import NearDuplicateOptions
from preprocessing.documents.options import DocumentOptions
from preprocessing.download import _parser
from preprocessing.sources.options import InputOptions

OF_THE_BUILD = {"--vocab", "--output", "--config", "--trust-times"}
OF_THE_VOCABULARY = {"--cased", "--keep-accents"}
OF_THE_BENCHMARK = {"--peer", "--documents", "--splits", "--every", "--translations", "--repeats"}


PAGES = ("sources", "encodings", "sentences")


def pages(repository: Path) -> str:
    return "\n".join((repository / "docs" / f"{page}.md").read_text(encoding="utf-8") for page in PAGES)


def options_of(parser: argparse.ArgumentParser) -> set[str]:
    found = set()
    for action in parser._actions:
        found.update(action.option_strings)
        if isinstance(action, argparse._SubParsersAction):
            for command in action.choices.values():
                found |= options_of(command)
    return found


def test_options_in_the_documentation_exist(repository: Path) -> None:
    text = pages(repository)
    parser = OptionParser()
    add_models(parser, (InputOptions, DocumentOptions, BadShareOptions, NearDuplicateOptions))
    named = set(re.findall(r"--[a-z][a-z.-]*[a-z]\b", text))  # Beam's own have underscores
    assert "--books.document" in named
    others = OF_THE_BUILD | OF_THE_VOCABULARY | OF_THE_BENCHMARK
    assert named <= options_of(parser) | options_of(_parser()) | others


def test_every_input_and_cleaning_option_is_documented(repository: Path) -> None:
    text = pages(repository)
    inputs = {name for name in InputOptions.model_fields if not name.startswith("dataset_")}
    cleaning = {f"cleaning.{name}" for name in DocumentOptions.model_fields["cleaning"].default.__class__.model_fields}
    assert [name for name in sorted(inputs | cleaning) if f"--{name.replace('_', '-')}" not in text] == []
