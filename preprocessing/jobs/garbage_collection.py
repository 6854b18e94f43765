"""How often Python looks for cycles of garbage while a job runs.

By default it looks after every 700 new objects, and now and then through all there are: with Beam loaded some hundred
thousand, none of which ever goes. Documents are strings and tuples without cycles, which go without it; what a piece of
work leaves in cycles, tables among them, goes when the next one begins.
"""

import gc
from collections.abc import Iterator
from contextlib import contextmanager

_THRESHOLDS = (50_000, 10, 10)


@contextmanager
def rare_collections() -> Iterator[None]:
    """Python looks rarely while the block runs, and as before behind it."""
    before = gc.get_threshold()
    gc.set_threshold(*_THRESHOLDS)
    try:
        yield
    finally:
        gc.set_threshold(*before)
        gc.unfreeze()


def collect_garbage() -> None:
    """To be called before each piece of work, in any process (`piece_of_work.py` does).

    The first time in a process what is loaded by then is set aside and never looked through again. Later what the
    piece before left goes, which takes milliseconds.
    """
    gc.set_threshold(*_THRESHOLDS)
    if gc.get_freeze_count():
        gc.collect()
    else:
        gc.freeze()
