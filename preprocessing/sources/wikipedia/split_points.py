"""Where a dump can be cut so that its parts are read apart."""

import bz2
import os

from preprocessing.sources.threads import BLOCK_BYTES
from preprocessing.storage import open_file

# The head of a bz2 stream: "BZh", the level, and the first block's mark (the digits of pi).
_BLOCK_MARK = b"1AY&SY"
_HEAD_BYTES = 4 + len(_BLOCK_MARK)
_WINDOW_BYTES = BLOCK_BYTES
_PROOF_BYTES = 1 << 12  # of a stream, that its head is not one by chance: its code tables lie in them


def split_points(path: str, split_bytes: int) -> list[tuple[int, int]]:
    """Ranges of about `split_bytes` stored bytes that tile the file, in order.

    A bz2 file is cut where a stream begins (a multistream dump has one every hundred pages; a file of one stream is
    one range), a plain XML file anywhere, since a range owns the pages that begin in it. Other files are one range.
    """
    with open_file(path) as stream:
        size = stream.seek(0, os.SEEK_END)
        stream.seek(0)
        head = stream.read(4)
    if head.startswith(b"BZh"):
        cuts = _bzip2_cuts(path, size, split_bytes)
    elif head.lstrip(b"\xef\xbb\xbf").startswith(b"<"):
        cuts = list(range(split_bytes, size, split_bytes))
    else:
        cuts = []
    return list(zip([0, *cuts], [*cuts, size], strict=True))


def next_bzip2_stream(path: str, start: int, end: int) -> int | None:
    """Offset of the first bz2 stream that begins at or after `start` and before `end`, or None."""
    with open_file(path) as stream:
        position = start
        stream.seek(start)
        window = stream.read(_WINDOW_BYTES + _PROOF_BYTES)
        last = _WINDOW_BYTES + _HEAD_BYTES - 1
        while position < end:
            found = window.find(_BLOCK_MARK, 4, last)
            while found >= 0:
                at = found - 4
                if position + at >= end:
                    return None
                if _is_stream(window[at:]):
                    return position + at
                found = window.find(_BLOCK_MARK, found + 1, last)
            if len(window) < _WINDOW_BYTES:
                return None
            position += _WINDOW_BYTES
            window = window[_WINDOW_BYTES:] + stream.read(_WINDOW_BYTES)
    return None


def _bzip2_cuts(path: str, size: int, split_bytes: int) -> list[int]:
    cuts: list[int] = []
    target = split_bytes
    while target < size:
        # From the target on to the end of the file: a dump of one stream is looked through once, not per cut.
        found = next_bzip2_stream(path, target, size)
        if found is None:
            break
        cuts.append(found)
        target = found + split_bytes
    return cuts


def _is_stream(data: bytes) -> bool:
    if data[:3] != b"BZh" or not b"1" <= data[3:4] <= b"9":
        return False
    try:
        bz2.BZ2Decompressor().decompress(data[:_PROOF_BYTES], 1)
    except OSError:
        return False
    return True
