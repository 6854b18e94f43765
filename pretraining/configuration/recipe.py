"""Reads a recipe: one TOML file with ``--config``, and ``--section.key value`` on the command line, which goes before
it.
"""

import argparse
import difflib
from collections.abc import Sequence
from pathlib import Path

from preprocessing.arguments import OptionParser, add_models, build_model
from pretraining.configuration.tables import Recipe
from pretraining.errors import PretrainingError

_RECIPES = Path(__file__).resolve().parents[1] / "recipes"


def recipe_parser(prog: str, description: str) -> OptionParser:
    """A parser with an option for every key of a recipe, and `--config`."""
    names = ", ".join(sorted(path.name for path in _RECIPES.glob("*.toml")))
    epilog = f"Recipes that come along, in pretraining/recipes/: {names}."
    parser = OptionParser(prog, description, PretrainingError, epilog=epilog)
    add_models(parser, (Recipe,), config="a recipe")
    # Launchers add it; the environment says the same.
    parser.add_argument("--local_rank", "--local-rank", help=argparse.SUPPRESS, default=argparse.SUPPRESS)
    return parser


def recipe_of(arguments: argparse.Namespace) -> Recipe:
    """The recipe that was parsed; PretrainingError when it is wrong."""
    return build_model(Recipe, arguments, PretrainingError)


def load_recipe(path: str | Path, overrides: Sequence[tuple[str, str]] = ()) -> Recipe:
    """The recipe in ``path`` with ``overrides`` (dotted key, text) as on the command line; PretrainingError when it is
    wrong.
    """
    options = [f"--{key}={text}" for key, text in overrides]
    return recipe_of(recipe_parser("recipe", "").parse_args(["--config", str(path), *options]))


def nearest(name: str, known: Sequence[str]) -> str:
    """A hint that names the nearest known word."""
    near = difflib.get_close_matches(name, known, n=1, cutoff=0.5)
    return f"did you mean {near[0]!r}?" if near else f"known: {', '.join(sorted(known))}"
