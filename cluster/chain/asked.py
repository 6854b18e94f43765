"""What a stage's table asks for, read by the stage's own command: the same keys, the same sentences."""

import argparse
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from cluster.chain.configuration import Configuration
from cluster.errors import ClusterError

RECIPE = "recipe"


@dataclass(frozen=True)
class Asked:
    """A stage's options: as parsed, by dotted key, and as words of its command's line that name no file of options."""

    parsed: argparse.Namespace
    values: Mapping[str, Any]
    words: tuple[str, ...]


def ask(
    configuration: Configuration,
    name: str,
    parser: Any,
    own: Mapping[str, Any],
    *,
    others: Sequence[str] = (),
) -> Asked:
    """Reads the table `name` by the parser of its command, a `preprocessing.arguments.OptionParser`.

    `own` are options, by dotted key, that the chain gives itself and the table may not have; `others` keys of the table
    that are not the command's. Raises `ClusterError` in one sentence.
    """
    from preprocessing.arguments import flat_values, given_values, words_of

    table = {key: value for key, value in configuration.tables[name].items() if key not in others}
    recipe = table.pop(RECIPE, None)
    with told(configuration, name):
        if recipe is not None and not isinstance(recipe, str):
            raise ClusterError(f"recipe = {recipe!r}: give the path of a file with options")
        values = flat_values(table, parser)
        for key in values.keys() & own.keys():
            raise ClusterError(f"{key} is given by the chain itself; leave it out")
        words = [] if recipe is None else ["--config", recipe]
        parsed = parser.parse_args([*words, *words_of({**values, **own}, parser)])
        found = given_values(parsed, parser)
        return Asked(parsed, found, tuple(words_of(found, parser)))


@contextmanager
def told(configuration: Configuration, name: str) -> Iterator[None]:
    """Errors of the stages as this package's, with file and table before them."""
    from finetuning.errors import FinetuningError
    from preprocessing.errors import PreprocessingError
    from pretraining.errors import PretrainingError

    try:
        yield
    except (ClusterError, FinetuningError, PreprocessingError, PretrainingError) as error:
        raise ClusterError(f"{configuration.file}: [{name}] {error}") from error
