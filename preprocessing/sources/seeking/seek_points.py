"""A place in a compressed file where decoding can begin, and what is known of the text that follows it."""

import base64
import json
import zlib
from dataclasses import dataclass


class NotSeekableError(Exception):
    """Why a compressed file is read in one go: in words that complete "it …", or empty where its reader will say it."""


@dataclass(frozen=True, slots=True)
class SeekPoint:
    """Where decoding can begin: `bit` counts stored bits, `plain` decoded bytes, both from the file's start.

    `state` is what a decoder must know there: for gzip the text before it (at most 32 KiB), for xz the frame around it.
    """

    bit: int
    plain: int = 0
    state: bytes = b""


@dataclass(frozen=True, slots=True)
class PlainRange:
    """What a worker needs to read a range of decoded bytes: where to begin, and how to know that it read the same.

    `checksum` is the CRC-32 of the range, None where nobody has read it yet; `rows` counts the line feeds before it.
    """

    point: SeekPoint
    checksum: int | None = None
    rows: int = 0

    def to_text(self) -> str:
        """One line of ASCII; `from_text` is the inverse."""
        state = base64.b85encode(zlib.compress(self.point.state, 9)).decode() if self.point.state else ""
        return json.dumps([self.point.bit, self.point.plain, state, self.checksum, self.rows])

    @classmethod
    def from_text(cls, text: str) -> "PlainRange":
        bit, plain, state, checksum, rows = json.loads(text)
        held = zlib.decompress(base64.b85decode(state)) if state else b""
        return cls(SeekPoint(bit, plain, held), checksum, rows)


def spaced(points: list[SeekPoint], spacing: int, size: int) -> list[SeekPoint]:
    """The start of the file, and of `points`, sorted, those that lie about `spacing` stored bytes or more apart.

    The last one is left out where less than a quarter of `spacing` would follow it.
    """
    chosen = [SeekPoint(0)]
    for point in points:
        if point.bit >= chosen[-1].bit + 8 * spacing and point.bit + 2 * spacing < 8 * size:
            chosen.append(point)
    return chosen
