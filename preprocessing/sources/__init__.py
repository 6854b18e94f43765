"""One module for each source, and `read_documents` in front of them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TYPE_CHECKING

from preprocessing.document import Document
from preprocessing.tally import Tally

if TYPE_CHECKING:
    from preprocessing.input_options import SourceOptions
    from preprocessing.splits import Split


def read_documents(split: Split, options: SourceOptions, tally: Tally) -> Iterator[Document]:
    """The documents of a split in order, streamed: memory is bounded by the limits in `options`.

    `tally` balances when the iterator is exhausted: documents in = documents out + all that was dropped. Raises
    PreprocessingError for a file that cannot be read, unless `options.skip_bad_files`.
    """
    # Not at the top: the planner of splits imports readers from this package, and the dispatcher imports the planner.
    from preprocessing.sources import dispatch

    return dispatch.read_documents(split, options, tally)
