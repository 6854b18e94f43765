"""What blocks take while they are decoded is used again, by whichever thread comes next."""

import bz2
import threading

from preprocessing.sources.bzip2 import Bzip2Decompressor, lanes

STORED = bz2.compress(b"what stands in one block, " * 1000)


def decoded() -> bytes:
    return Bzip2Decompressor().decompress(STORED)


def test_threads_one_after_the_other_share_one_room() -> None:
    text = decoded()
    rooms = list(lanes._free)
    for _ in range(3):
        thread = threading.Thread(target=decoded)
        thread.start()
        thread.join()
    assert decoded() == text == bz2.decompress(STORED)
    assert {id(room) for room in lanes._free} == {id(room) for room in rooms}


def test_two_at_the_same_moment_have_two() -> None:
    first, second = lanes.Lanes(), lanes.Lanes()
    assert first._room is not second._room
    assert first.texts() == second.texts() == []
