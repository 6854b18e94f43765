"""What the bytes of text say, in one compiled pass over the UTF-8 of all paragraphs of a document."""

from collections.abc import Sequence
from typing import Any

import numpy as np

from preprocessing.compiled import compiled

_NEWLINE = 10


def are_plain(paragraphs: Sequence[str]) -> list[bool]:
    """Of each paragraph, whether it is printable ASCII with single blanks, none of them at its edges.

    A line break in a paragraph makes it, and perhaps others, not plain.
    """
    if not paragraphs:
        return []
    text = "\n".join(paragraphs).encode("utf-8", "surrogatepass")
    plain = np.zeros(len(paragraphs), np.bool_)
    found = _find_plain(np.frombuffer(text, np.uint8), plain)
    if found != len(paragraphs):
        plain[:] = False
    return plain.tolist()


def count_symbols(paragraphs: Sequence[str]) -> tuple[int, int]:
    """Bytes of UTF-8 that are neither ASCII letters nor blanks nor of characters above ASCII; all but blanks."""
    text = "".join(paragraphs).encode()
    both = int(_count(np.frombuffer(text, np.uint8), _KINDS))
    return both >> 32, both & 0xFFFFFFFF


def _kinds() -> np.ndarray:
    """int64 [256]: 1 for what counts, and 2 ** 32 besides for a symbol."""
    kinds = np.ones(256, np.int64)
    for byte in range(128):
        if not chr(byte).isalpha():
            kinds[byte] = 1 | 1 << 32
    kinds[ord(" ")] = 0
    return kinds


_KINDS = _kinds()


@compiled
def _count(text: np.ndarray, kinds: np.ndarray) -> Any:
    """Both counts, one above the other: a document has fewer than 2 ** 31 bytes."""
    total = np.int64(0)
    for byte in text:
        total += kinds[byte]
    return total


@compiled
def _find_plain(text: np.ndarray, plain: np.ndarray) -> int:
    """Fills `plain`, bool, for the parts of `text` between line breaks; how many parts there are."""
    parts = 0
    odd = False
    before = 32  # a blank at the beginning is as one behind a blank
    for byte in text:
        if byte == _NEWLINE:
            if parts < len(plain):
                plain[parts] = not (odd or (before == 32))
            parts += 1
            odd, before = False, 32
        else:
            odd = odd or byte < 32 or byte > 126 or (byte == 32 and before == 32)
            before = byte
    if parts < len(plain):
        plain[parts] = not (odd or before == 32)
    return parts + 1
