"""Files as an attacker may write them: what Python's `bz2` makes of them is made of them here, and nothing else.

Compiled loops look at no bounds. So the same files go once through loops that were compiled to look at them.
"""

import bz2
import os
import random
import subprocess
import sys
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numba
import numpy as np
import pytest

from preprocessing.errors import PreprocessingError
from preprocessing.sources.bzip2 import Bzip2Decompressor
from preprocessing.sources.bzip2.framing import checksum_of, decode_block
from preprocessing.sources.bzip2.lanes import MOST_BYTES, Lanes
from preprocessing.sources.bzip2.symbols import WHOLE
from preprocessing.sources.bzip2.transform import pieces_of
from preprocessing.sources.seeking.bzip2_blocks import Bzip2BlockStream
from tests.preprocessing.sources.bzip2.damaged_streams import damaged, files, stream_of

ROOT = Path(__file__).parents[4]
SIZES = ((1 << 20, 1 << 20), (1 << 18, -1), (5_000, 7_000))


def read_file(stored: bytes, kind: Any, read: int, limit: int) -> tuple[bytes, str]:
    """The text of all streams, and what ended them: "", "truncated", or the decoder's words; `read` bytes at a time."""
    pieces: list[bytes] = []
    decoder, at, held = kind(), 0, b""
    try:
        while True:
            if decoder.eof:
                decoder, held = kind(), decoder.unused_data
                if not held and at >= len(stored):
                    return b"".join(pieces), ""
            if decoder.needs_input and not held:
                held, at = stored[at : at + read], at + read
                if not held:
                    return b"".join(pieces), "truncated"
            pieces.append(decoder.decompress(held, limit))
            held = b""
    except OSError as error:
        return b"".join(pieces), str(error)


def compare(stored: bytes, read: int, limit: int) -> str:
    """Reads a file both ways; how it ended. The texts are the same, or where it is damaged as far as both reach."""
    ours, theirs = (read_file(stored, kind, read, limit) for kind in (Bzip2Decompressor, bz2.BZ2Decompressor))
    assert bool(ours[1]) == bool(theirs[1])
    if ours[1]:
        # Theirs may have given some of a block that is damaged, or nothing yet of a whole one before that.
        assert theirs[0].startswith(ours[0]) or ours[0].startswith(theirs[0])
    else:
        assert ours[0] == theirs[0]
    return ours[1]


def compare_signed(stored: bytes) -> bool:
    """Whether the first block can be decoded; then, under the checksum of what it is here, it is that for `bz2` too."""
    words = np.frombuffer(stored + bytes(-len(stored) % 4), ">u4").astype(np.uint32)
    lanes = Lanes()
    found, end = lanes.read(words, 8 * len(stored), 112, MOST_BYTES)
    if found != WHOLE:
        return False
    try:
        text = b"".join(pieces_of(lanes.texts()[0]))
    except OSError:
        return False
    checksum = checksum_of([text])
    signed = b"BZh91AY&SY" + checksum.to_bytes(4, "big") + stored[14:]
    assert decode_block(signed, 32, end, checksum) == text
    return True


def fuzz(seed: int, count: int) -> Iterator[str]:
    draw = random.Random(seed)
    for number, stored in enumerate(files(seed, count)):
        yield compare(stored, *SIZES[number % len(SIZES)])
    for _ in range(count):
        if len(stored := damaged(draw, stream_of(draw))) > 14:
            yield "signed" if compare_signed(stored) else "no block"


def fuzz_all(seed: int, count: int) -> None:
    """Prints a checksum of all that was found, for two processes to compare; each way to end has to occur."""
    ends = list(fuzz(seed, count))
    assert {"", "truncated", "Invalid data stream", "signed", "no block"} == set(ends)
    bounds = numba.config.BOUNDSCHECK  # type: ignore[attr-defined]
    print(bounds, len(ends), zlib.crc32("".join(ends).encode()))


@pytest.mark.parametrize("seed", range(3))
def test_what_python_reads_is_read_and_what_it_refuses_is_refused(seed: int) -> None:
    fuzz_all(seed, 80)


@pytest.mark.slow
def test_two_thousand_of_each_under_loops_that_look_at_bounds(tmp_path: Path) -> None:
    assert fuzzed(tmp_path, 4, 2_000).startswith("1 ")


def fuzzed(folder: Path, seed: int, count: int) -> str:
    """What `fuzz_all` prints in a process whose loops look at bounds: an index outside raises IndexError there."""
    environment = {**os.environ, "NUMBA_BOUNDSCHECK": "1", "NUMBA_CACHE_DIR": str(folder)}
    command = f"from {__name__} import fuzz_all; fuzz_all({seed}, {count})"
    ended = subprocess.run(
        [sys.executable, "-c", command], env=environment, cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert ended.returncode == 0, ended.stderr
    return ended.stdout


def test_a_code_table_without_end_is_neither_held_nor_waited_for() -> None:
    """Its lengths go up and down for ever. Python's own goes on for as long as there is input."""
    head = "0" + f"{0:024b}" + f"{1:016b}" + f"{1:016b}" + f"{2:03b}{1:015b}" + "0" + f"{5:05b}"
    bits = head + "1011" * 2  # up, down; then whole bytes of the same, wherever they begin
    up_and_down = "1011" * 1_000
    cut = (len(bits) + len(up_and_down)) // 8 * 8
    begin = b"BZh91AY&SY" + bytes(4) + int((bits + up_and_down)[:cut], 2).to_bytes(cut // 8, "big")
    again = int((up_and_down * 2)[cut - len(bits) :][:8], 2).to_bytes(1, "big")
    decoder = Bzip2Decompressor()
    assert decoder.decompress(begin + again * (1 << 20)) == b""
    for _ in range(2):
        assert decoder.decompress(again * (1 << 20)) == b""
        assert decoder.needs_input
    with pytest.raises(OSError, match="Invalid data stream"):
        decoder.decompress(again * (2 << 20))


@pytest.mark.parametrize("seed", [5, 6])
def test_blocks_from_a_file_are_those_of_its_streams(seed: int, tmp_path: Path) -> None:
    path = tmp_path / "file"
    for stored in files(seed, 60):
        path.write_bytes(stored)
        theirs, fault = read_file(stored, bz2.BZ2Decompressor, 1 << 20, -1)
        text = b""
        try:
            with Bzip2BlockStream(str(path), "file") as stream:
                while piece := stream.read():
                    text += piece
        except PreprocessingError:
            assert fault
            assert text.startswith(theirs) or theirs.startswith(text)
        else:
            assert (text, fault) == (theirs, "")
