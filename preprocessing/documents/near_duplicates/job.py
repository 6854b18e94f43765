"""What a worker needs to know to find near-duplicates: the options, the numbers of pieces of work, the files' names.

Documents are dealt twice. By where they come from: a part is the splits of neighbouring keys, and a document is named
by its place, a number of 64 bits: the part, then the document's number in it. By the numbers of their bands: a range
is a share of all numbers of 64 bits, so that equal numbers meet in one range.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pyarrow as pa

from preprocessing.documents.near_duplicates.signatures import NearDuplicateOptions
from preprocessing.documents.options import DocumentOptions
from preprocessing.errors import PreprocessingError, of_system
from preprocessing.storage import StorageOptions, current_options

# However many splits there are: a worker opens each file of the step before, and together they open PARTS x RANGES.
PARTS, RANGES = 128, 256

PART_BITS = 32
LINK_FILES = r"(?:splits|(?:bands|keys|candidates|partners|members|pairs)-\d{5})-[0-9a-f]{16}\.arrow"


@dataclass(frozen=True)
class NearDuplicateJob:
    """Travels to every worker."""

    folder: Path
    """Of the signatures and of all files of linking, as every worker sees it."""
    mark: str
    """16 hexadecimal digits of all that the files of linking depend on."""
    splits: int
    source: DocumentOptions
    options: NearDuplicateOptions
    storage: StorageOptions = field(default_factory=current_options)
    """How remote inputs are reached."""

    @property
    def parts(self) -> int:
        return min(PARTS, self.splits)

    @property
    def ranges(self) -> int:
        return min(RANGES, self.splits)

    def splits_in(self, part: int) -> range:
        """The numbers of a part's splits, counted in the order of the keys."""
        return range(*(-(-number * self.splits // self.parts) for number in (part, part + 1)))

    @property
    def splits_path(self) -> Path:
        """The file of all splits, in the order of their keys."""
        return self.folder / f"splits-{self.mark}.arrow"

    def signature_path(self, split_key: str) -> Path:
        return self.folder / f"{split_key}.arrow"

    def path(self, kind: str, number: int) -> Path:
        """The file of one piece of work; its name matches `LINK_FILES`."""
        return self.folder / f"{kind}-{number:05d}-{self.mark}.arrow"


def open_link_file(path: Path) -> pa.ipc.RecordBatchFileReader:
    """Maps a file that a step of linking wrote. Raises PreprocessingError when it is missing or damaged."""
    try:
        return pa.ipc.open_file(pa.memory_map(str(path)))
    except FileNotFoundError as error:
        raise PreprocessingError(
            f"{path} is missing: a worker, or the disk, lost it; run the same command again."
        ) from error
    except OSError as error:
        raise of_system(error, f"{path} cannot be read ({error}); run the same command again.") from error
    except pa.ArrowException as error:
        raise PreprocessingError(f"{path} is damaged ({error}); remove it and run the same command again.") from error


def batches_of(path: Path) -> Iterator[pa.RecordBatch]:
    """The record batches of such a file, one after the other."""
    reader = open_link_file(path)
    for index in range(reader.num_record_batches):
        yield reader.get_batch(index)
