"""Continues to pretrain a BERT on your own text, and measures what it wins and forgets.

    python -m pretraining.adapt --model FOLDER_OR_HUB_NAME --text 'mine/**' --output runs/adapted

The adapted model is `runs/adapted/export`, with its figures in `adaptation.json`. Stopped at any point, the same
command goes on. Exit codes: 0 complete; 2 a mistake that the user can mend; 75 interrupted, start it again.
"""

import sys
from collections.abc import Sequence

from preprocessing.errors import PreprocessingError
from pretraining.adaptation.options import read_options
from pretraining.errors import PretrainingError, ended_by


def main(argv: Sequence[str] | None = None) -> int:
    """Command line; returns the exit code."""
    try:
        options, training = read_options(argv)
        from pretraining.adaptation.road import adapt  # late: the help and a wrong option need none of it

        adapt(options, training)
    except (PretrainingError, PreprocessingError, OSError) as error:
        return ended_by(error)
    return 0


if __name__ == "__main__":
    sys.exit(main())
