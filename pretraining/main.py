"""``deepspeed pretraining/main.py --config RECIPE.toml --data.shards=FOLDER [--section.key value ...]``.

Exit codes: 0 finished, or stopped at ``training.stop_at``; 2 a mistake that the user can mend; 75 interrupted, start it
again: it goes on from its last checkpoint.
"""

import os
import sys
from pathlib import Path

# Started as a file, the folder of this file comes first on the path, and modules here would shadow others of their
# name.
if sys.path and sys.path[0] == str(Path(__file__).resolve().parent):
    sys.path[0] = str(Path(__file__).resolve().parent.parent)

from pretraining.run.health.stop import StopRequest
from pretraining.run.ranks import read_environment


def main(arguments: list[str] | None = None) -> int:
    """Runs one rank; returns the exit code."""
    os.environ.setdefault("TORCH_CPP_LOG_LEVEL", "ERROR")  # a lost rank is one sentence of ours, not a stack of theirs
    with StopRequest() as stop:  # before torch is imported, which takes seconds in which a signal would kill the rank
        return _run(arguments, stop)


def _run(arguments: list[str] | None, stop: StopRequest) -> int:
    from preprocessing.errors import PreprocessingError
    from pretraining.configuration.recipe import recipe_of, recipe_parser
    from pretraining.errors import PretrainingError, not_written

    try:
        parser = recipe_parser("deepspeed pretraining/main.py", "Pretrain BERT on shards: one process of a run.")
        recipe = recipe_of(parser.parse_args(arguments))
        environment = read_environment()
        require_writable(recipe.run_folder)
        from pretraining.run.pretrain import run

        code = run(recipe, environment, stop)
        sys.modules["torch.distributed"].destroy_process_group()
        return code
    except PretrainingError as error:
        _say(error)
        return error.exit_code
    except (PreprocessingError, OSError) as error:
        known = not_written(error)
        _say(known)
        return known.exit_code


def require_writable(folder: Path) -> None:
    """PretrainingError when a run could not write there: said before the ranks are joined, and by all of them."""
    from pretraining.errors import PretrainingError

    there = next(parent for parent in (folder, *folder.absolute().parents) if parent.exists())
    if not there.is_dir():
        raise PretrainingError(f"output.folder {folder}: {there} is a file; choose another folder")
    if not os.access(there, os.W_OK | os.X_OK):
        raise PretrainingError(f"output.folder {folder}: you may not write to {there}; choose another folder")


def _say(error: Exception) -> None:
    """Every rank finds the same mistake before the ranks are joined; afterwards it may be one rank's own.

    Why they did not meet is said once on every machine.
    """
    from pretraining.errors import JoinError, MismatchError

    distributed = sys.modules.get("torch.distributed")
    joined = distributed is not None and distributed.is_initialized()
    rank = os.environ.get("RANK", "0")
    speaks_for_machine = isinstance(error, JoinError | MismatchError) and os.environ.get("LOCAL_RANK", "0") == "0"
    if rank == "0" or joined or speaks_for_machine:
        print(f"error: {error}" if rank == "0" else f"error on rank {rank}: {error}", file=sys.stderr, flush=True)


if __name__ == "__main__":
    code = main()
    sys.stdout.flush()
    sys.stderr.flush()
    if code:
        os._exit(code)  # taking the process group down would wait for ranks that are gone
    sys.exit(0)
