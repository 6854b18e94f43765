"""The splits of a build in a file, which every worker reads its own from.

So nothing but their numbers travels through a runner: some take no graph of more than ten megabytes, and a split may
name thousands of files.
"""

import json
from collections.abc import Sequence

import pyarrow as pa

from preprocessing.atomic_file import replacing
from preprocessing.errors import PreprocessingError, of_system
from preprocessing.sources.split import Split
from preprocessing.storage import Location, arrow_source

_SCHEMA = pa.schema([("split", pa.string())])
_COUNT = b"preprocessing.splits"
_SPLITS_A_BATCH = 64  # of up to thousands of files each: what a worker reads to get at one


def largest_first(splits: Sequence[Split]) -> list[Split]:
    """The splits by size, those of equal size in their order.

    The local engine deals numbers to its workers in turn: in this order what two of them get differs by no more than
    the largest split. Others hand them out as workers come free, and then a long one does not begin last.
    """
    return sorted(splits, key=lambda split: -split.size)


def write_splits(path: Location, splits: Sequence[Split]) -> None:
    """Writes an Arrow IPC file with one split a row, as JSON."""
    schema = _SCHEMA.with_metadata({_COUNT: str(len(splits)).encode()})
    with replacing(path) as temporary, pa.ipc.new_file(str(temporary), schema) as writer:
        for first in range(0, len(splits), _SPLITS_A_BATCH):
            rows = [json.dumps(split.to_json()) for split in splits[first : first + _SPLITS_A_BATCH]]
            writer.write_batch(pa.record_batch([pa.array(rows, pa.string())], schema=schema))


def read_split(path: Location, number: int) -> Split:
    """Split `number`, from 0. Raises PreprocessingError when the file is missing or damaged."""
    try:
        with arrow_source(path) as source, pa.ipc.open_file(source) as reader:
            rows = reader.get_batch(number // _SPLITS_A_BATCH).column("split")
        return Split.from_json(json.loads(rows[number % _SPLITS_A_BATCH].as_py()))
    except (OSError, pa.ArrowException, IndexError, ValueError) as error:
        raise _unreadable(path, error) from error


def count_splits(path: Location) -> int:
    """How many splits the file holds. Raises PreprocessingError when it is missing or damaged."""
    try:
        with arrow_source(path) as source, pa.ipc.open_file(source) as reader:
            return int(reader.schema.metadata[_COUNT])
    except (OSError, pa.ArrowException, TypeError, KeyError, ValueError) as error:
        raise _unreadable(path, error) from error


def _unreadable(path: Location, error: Exception) -> PreprocessingError:
    if isinstance(error, PreprocessingError):  # of the storage
        return error
    sentence = f"{path} is missing or damaged, so a worker cannot know what to read; run the same command again."
    return of_system(error, sentence) if isinstance(error, OSError) else PreprocessingError(sentence)
