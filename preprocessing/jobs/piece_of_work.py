"""What every piece of work begins with, in whatever process a runner does it."""

from preprocessing.jobs.garbage_collection import collect_garbage
from preprocessing.jobs.runners import quiet
from preprocessing.storage import StorageOptions


def begin_work(storage: StorageOptions) -> None:
    """To be called first by every function that Beam calls with the number of a piece of work.

    Keeps Beam's logs off stderr, lets what the piece before left go, and reaches remote files as `storage` says.
    """
    quiet()
    collect_garbage()
    storage.apply()
