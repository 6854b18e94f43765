"""Real files, damaged: what the fuzz tests of the readers read.

A mutation is a list of edits drawn by hypothesis, so that a failing one shrinks to the few edits that matter.
"""

from collections.abc import Callable, Sequence

from hypothesis import strategies as st

_MOST_EDITS = 6
_LONGEST_INSERT = 12
_LONGEST_RUN = 4096
# What readers look for: ends of lines, marks, quotes, brackets, wide and impossible bytes.
_TELLING = (
    *(b"\n", b"\r", b"\n\n", b"\0", b"\xff", b"\xfe\xff", b"\xef\xbb\xbf", b"\xc3", b"\xed\xa0\x80", b"\x80"),
    *(b"<", b">", b"&", b"/", b'"', b"'", b"{", b"}", b"[", b"]", b"|", b"=", b"*", b"`", b"\\", b"#"),
)


def mutations(data: bytes, others: Sequence[bytes] = ()) -> st.SearchStrategy[bytes]:
    """`data` after one to six edits: bits flipped, the end or a run cut, a run doubled, bytes put in, files spliced.

    `others` are files whose parts may be spliced in; without them the parts are the file's own.
    """
    edits: list[st.SearchStrategy[Callable[[bytes], bytes]]] = [
        st.builds(_flip, _places(), st.integers(0, 7)),
        st.builds(_cut, _places()),
        st.builds(_delete, _places(), st.integers(1, _LONGEST_RUN)),
        st.builds(_double, _places(), st.integers(1, _LONGEST_RUN), st.integers(1, 3)),
        st.builds(_insert, _places(), st.binary(min_size=1, max_size=_LONGEST_INSERT) | st.sampled_from(_TELLING)),
        st.builds(_splice, _places(), _places(), st.integers(1, _LONGEST_RUN), st.sampled_from([data, *others])),
    ]
    return st.lists(st.one_of(edits), min_size=1, max_size=_MOST_EDITS).map(lambda drawn: _applied(data, drawn))


def _places() -> st.SearchStrategy[float]:
    """A place in a file of any length, as a share of it."""
    return st.floats(0, 1, allow_nan=False)


def _applied(data: bytes, edits: Sequence[Callable[[bytes], bytes]]) -> bytes:
    for edit in edits:
        data = edit(data)
    return data


def _flip(place: float, bit: int) -> Callable[[bytes], bytes]:
    def edit(data: bytes) -> bytes:
        at = min(int(place * len(data)), len(data) - 1)
        return data[:at] + bytes([data[at] ^ 1 << bit]) + data[at + 1 :] if data else data

    return edit


def _cut(place: float) -> Callable[[bytes], bytes]:
    return lambda data: data[: int(place * len(data))]


def _delete(place: float, length: int) -> Callable[[bytes], bytes]:
    return lambda data: data[: int(place * len(data))] + data[int(place * len(data)) + length :]


def _double(place: float, length: int, times: int) -> Callable[[bytes], bytes]:
    def edit(data: bytes) -> bytes:
        at = int(place * len(data))
        return data[:at] + data[at : at + length] * times + data[at:]

    return edit


def _insert(place: float, added: bytes) -> Callable[[bytes], bytes]:
    return lambda data: data[: int(place * len(data))] + added + data[int(place * len(data)) :]


def _splice(place: float, other_place: float, length: int, other: bytes) -> Callable[[bytes], bytes]:
    def edit(data: bytes) -> bytes:
        at, begin = int(place * len(data)), int(other_place * len(other))
        return data[:at] + other[begin : begin + length] + data[at:]

    return edit
