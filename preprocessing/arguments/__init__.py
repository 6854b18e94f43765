"""The one way in which every command of the project declares its options.

Options are fields of pydantic models: `--field VALUE`, and `--section.field VALUE` for a nested model; `--config
FILE` reads the same keys from a TOML file, and the command line goes before it. What a command asks besides is added
as with argparse. A mistake is one sentence, raised as the package's own error. `words_of` is the way back, from values
to a command line.

    parser = OptionParser("python -m stage.command", "What it does.", StageError)
    add_models(parser, (Options,))
    options = build_model(Options, parser.parse_args(argv), StageError)

In: a command line. Out: frozen, checked models. Open first: `pydantic_options.py`. Imports nothing heavy.
"""

from preprocessing.arguments.closed_output import end_unread
from preprocessing.arguments.command_line import flat_values, given_values, words_of
from preprocessing.arguments.installed_files import that_comes_along
from preprocessing.arguments.parser import OptionParser, refuse_unknown
from preprocessing.arguments.pydantic_options import add_models, build_model
from preprocessing.arguments.remote_names import REMOTE, add_storage_options
from preprocessing.arguments.value_types import positive

__all__ = [
    "REMOTE",
    "OptionParser",
    "add_models",
    "add_storage_options",
    "build_model",
    "end_unread",
    "flat_values",
    "given_values",
    "positive",
    "refuse_unknown",
    "remote_names",
    "that_comes_along",
    "words_of",
]
