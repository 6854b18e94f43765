"""Where a pretraining run writes and what it reads, for the scripts that start it and look after it.

    python -m cluster.run_folder --config RECIPE.toml [--section.key value ...]

Takes the arguments of `pretraining/main.py`, and prints the run's folder on the first line and each folder of shards on
a line of its own after it, as recipe and command line say. Exit code 2 and one sentence where the recipe is wrong.
"""

import sys
from collections.abc import Sequence


def main(argv: Sequence[str] | None = None) -> int:
    """Prints the folders; returns the exit code."""
    from pretraining.configuration.recipe import recipe_of, recipe_parser
    from pretraining.errors import PretrainingError

    text = "Prints the folder of a pretraining run, and below it its folders of shards, a line each."
    try:
        recipe = recipe_of(recipe_parser("python -m cluster.run_folder", text).parse_args(argv))
    except PretrainingError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    print(recipe.run_folder, *recipe.data.shards, sep="\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
