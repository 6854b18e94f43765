"""What the rows of a shard must be, whatever its hash says: a hostile file may come with a manifest that fits it."""

import numpy as np
import pyarrow as pa

from preprocessing.errors import PreprocessingError
from preprocessing.shards.reader import Shard


def check_content(shard: Shard, length: int, vocabulary_size: int, documents: int) -> None:
    """Reads every row. Raises PreprocessingError, naming the file and the column, for the first thing that is wrong.

    Offsets ascend within their buffers, no example is longer than `length` tokens, ids and labels are below
    `vocabulary_size`, positions lie in their example and ascend, documents are rows of a table of `documents` rows.
    """
    try:
        shard.table.validate(full=True)
    except pa.ArrowInvalid as error:
        raise _wrong(shard, f"its buffers do not fit each other ({error})") from error
    tokens = np.diff(shard.token_offsets)
    masks = np.diff(shard.mask_offsets)
    if shard.rows and (tokens.min() < 1 or tokens.max() > length):
        raise _wrong(shard, f"input_ids has rows of {tokens.min()} to {tokens.max()} tokens")
    if not np.array_equal(shard.mask_offsets, shard.table.column("masked_labels").chunk(0).offsets.to_numpy()):
        raise _wrong(shard, "masked_labels has other offsets than masked_positions")
    for name in ("input_ids", "masked_labels"):
        values = getattr(shard, name)
        if len(values) and int(values.max()) >= vocabulary_size:
            raise _wrong(shard, f"{name} holds {values.max()}, and the vocabulary ends at {vocabulary_size - 1}")
    if (shard.segment_b_start > tokens).any():
        raise _wrong(shard, "segment_b_start lies behind the end of its row")
    positions = shard.masked_positions.astype(np.int64)
    row = np.repeat(np.arange(shard.rows), masks)
    if (positions >= tokens[row]).any():
        raise _wrong(shard, "masked_positions lies behind the end of its row")
    if (np.diff(positions)[np.diff(row) == 0] <= 0).any():
        raise _wrong(shard, "masked_positions does not ascend")
    for name in ("document_a", "document_b"):
        values = getattr(shard, name)
        if len(values) and int(values.max()) >= documents:
            raise _wrong(shard, f"{name} holds {values.max()}, and there are {documents} documents")


def _wrong(shard: Shard, what: str) -> PreprocessingError:
    return PreprocessingError(f"{shard.path} is no shard of this build: {what}; build it again.")
