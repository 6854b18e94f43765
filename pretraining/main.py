"""``deepspeed pretraining/main.py --config RECIPE.toml --data.shards=FOLDER [--section.key value ...]``.

Exit codes: 0 finished; 2 a mistake that the user can mend; 75 interrupted with its state saved, start it again.
"""

import os
import sys
from pathlib import Path

# Started as a file, the folder of this file comes first on the path, and modules here would shadow others of their name.
if sys.path and sys.path[0] == str(Path(__file__).resolve().parent):
    sys.path[0] = str(Path(__file__).resolve().parent.parent)

from pretraining.environment import read_environment
from pretraining.stop import StopRequest


def main(arguments: list[str] | None = None) -> int:
    """Runs one rank; returns the exit code."""
    stop = StopRequest()
    stop.install()  # before torch is imported, which takes seconds in which a signal would kill the rank
    from pretraining.errors import PretrainingError
    from pretraining.recipe import load_recipe, parse_command_line

    try:
        environment = read_environment()
        config, overrides = parse_command_line(sys.argv[1:] if arguments is None else arguments)
        recipe = load_recipe(config, overrides)
        from pretraining.run import run

        return run(recipe, environment, stop)
    except PretrainingError as error:
        if int(os.environ.get("RANK", "0")) == 0:
            print(f"error: {error}", file=sys.stderr)
        return error.exit_code


if __name__ == "__main__":
    sys.exit(main())
