"""The inverse of the Burrows-Wheeler transform, of several blocks at a time, and the runs that bzip2 writes before it.

From each byte of a block to the next the transform leads to another place of a table that no nearer cache holds: the
processor waits. So a step is made from a pair of bytes to the next pair, as `libsais` does, and the steps of several
blocks take turns: the processor waits for all of them in the time of one.
"""

from collections.abc import Iterator

import numpy as np

from preprocessing.compiled import compiled
from preprocessing.sources.bzip2.framing import INVALID

PAIR_BITS = 12
"""Of a step, those that say which pair of bytes it stands for; the others say where the next one is."""
_RARE = 4
_RUN = 4
_PIECE_BYTES = 1 << 20


@compiled
def link(links, size, counts):  # type: ignore[no-untyped-def]
    """Puts above each byte of `links[:size]`, uint32, the row of the byte that follows it; `counts` int64 [256]."""
    place = np.empty(256, np.int64)
    total = 0
    for byte in range(256):
        place[byte] = total
        total += counts[byte]
    for row in range(size):
        byte = links[row] & np.uint32(0xFF)
        links[place[byte]] |= np.uint32(row) << np.uint32(8)
        place[byte] += 1


@compiled
def pair(links, counts, steps, pairs, rare_rows, rare_pairs):  # type: ignore[no-untyped-def]
    """Makes of linked rows the steps from pair to pair, uint32; how many rare pairs there are.

    Rows are sorted: those of one pair stand together, and what follows those of one byte ascends. `pairs`, uint16
    [2 ** `PAIR_BITS`], becomes the two bytes of each pair, the first one below. Pairs that have no number there are
    rare, number 0: of each, the first row goes into `rare_rows`, uint32 [2 ** 16], and its bytes into `rare_pairs`.
    """
    rare, most_of_rare = -1, _RARE
    while rare < 0:  # ends: of more than size >> PAIR_BITS each, there are fewer pairs than numbers
        rare = _pair(links, counts, steps, pairs, rare_rows, rare_pairs, most_of_rare)
        most_of_rare *= 8
    return rare


@compiled
def _pair(links, counts, steps, pairs, rare_rows, rare_pairs, most_of_rare):  # type: ignore[no-untyped-def]
    bits, eight = np.uint32(PAIR_BITS), np.uint32(8)
    number = row = rare = 0
    for first in range(256):
        end = row + counts[first]
        second, after = 0, counts[0]  # the row behind those that begin with `second`
        while row < end:
            following = links[row] >> eight
            while after <= following:
                second += 1
                after += counts[second]
            stop = row + 1
            while stop < end and links[stop] >> eight < after:
                stop += 1
            this = np.uint32(0)
            if stop - row > most_of_rare:
                number += 1
                if number >> PAIR_BITS:
                    return -1
                this = np.uint32(number)
                pairs[number] = first | second << 8
            else:
                rare_rows[rare] = row
                rare_pairs[rare] = first | second << 8
                rare += 1
            for index in range(row, stop):
                steps[index] = (links[links[index] >> eight] >> eight) << bits | this
            row = stop
    return rare


@compiled
def unsorted(steps, pairs, rare_rows, rare_pairs, rare, origins, sizes, text):  # type: ignore[no-untyped-def]
    """Writes the bytes of block i, in their order, to `text[i]`, uint16 [at least half of `sizes[i]`, rounded up].

    One to four blocks. `steps`, `pairs`, `rare_rows` and `rare_pairs` have four arrays each, of which a block's are as
    `pair` fills them; `rare`, int64, is what that returned.
    """
    order = np.argsort(sizes)[::-1]
    at = np.zeros(4, np.uint32)
    for place in range(len(sizes)):
        at[place] = origins[order[place]]
    begin = 0
    for count in range(len(sizes), 0, -1):
        end = (sizes[order[count - 1]] + 1) // 2
        if begin < end:
            _walk(steps, pairs, rare_rows, rare_pairs, rare, order, count, at, begin, end, text)
        begin = max(begin, end)


@compiled
def _rare_pair(row, rows, pairs, count):  # type: ignore[no-untyped-def]
    low, high = 0, count
    while high - low > 1:
        middle = (low + high) >> 1
        if rows[middle] <= row:
            low = middle
        else:
            high = middle
    return pairs[low]


@compiled
def _walk(steps, pairs, rare_rows, rare_pairs, rare, order, count, at, begin, end, text):  # type: ignore[no-untyped-def]
    """Pairs [begin, end) of the `count` longest blocks; `at`, where they stand, is moved on."""
    bits = np.uint32(PAIR_BITS)
    low = np.uint32((1 << PAIR_BITS) - 1)
    a, b, c, d = at[0], at[1], at[2], at[3]
    one, two, three, four = order[0], order[min(1, count - 1)], order[min(2, count - 1)], order[min(3, count - 1)]
    steps_a, pairs_a, text_a = steps[one], pairs[one], text[one]
    steps_b, pairs_b, text_b = steps[two], pairs[two], text[two]
    steps_c, pairs_c, text_c = steps[three], pairs[three], text[three]
    steps_d, pairs_d, text_d = steps[four], pairs[four], text[four]
    for index in range(begin, end):
        # All loads of a turn before anything that waits for one of them.
        next_a = steps_a[a]
        next_b = steps_b[b] if count > 1 else next_a
        next_c = steps_c[c] if count > 2 else next_a
        next_d = steps_d[d] if count > 3 else next_a
        number = next_a & low
        text_a[index] = pairs_a[number] if number else _rare_pair(a, rare_rows[one], rare_pairs[one], rare[one])
        a = next_a >> bits
        if count > 1:
            number = next_b & low
            text_b[index] = pairs_b[number] if number else _rare_pair(b, rare_rows[two], rare_pairs[two], rare[two])
            b = next_b >> bits
        if count > 2:
            number = next_c & low
            text_c[index] = (
                pairs_c[number] if number else _rare_pair(c, rare_rows[three], rare_pairs[three], rare[three])
            )
            c = next_c >> bits
        if count > 3:
            number = next_d & low
            text_d[index] = pairs_d[number] if number else _rare_pair(d, rare_rows[four], rare_pairs[four], rare[four])
            d = next_d >> bits
    at[0], at[1], at[2], at[3] = a, b, c, d


def pieces_of(text: np.ndarray) -> Iterator[bytes]:
    """A block, uint8 [n], with its runs written out: behind four equal bytes stands how many more follow.

    In pieces of at most 1 MiB, of which most blocks are one. Raises OSError where the block ends before a run's count.
    """
    equal = text[1:] == text[:-1]
    fourth = np.flatnonzero(equal[2:] & equal[1:-1] & equal[:-2]) + _RUN  # behind what may be the fourth of a run
    if not len(fourth):
        yield text.tobytes()
        return
    counts_at = _counts_at(fourth)
    if len(counts_at) and counts_at[-1] == len(text):
        raise OSError(INVALID)
    begin = number = 0
    while begin < len(text):
        piece = np.empty(_PIECE_BYTES, np.uint8)
        end, begin, number = _write_out(text, counts_at, begin, number, piece)
        yield piece[:end].tobytes()


@compiled
def _counts_at(fourth):  # type: ignore[no-untyped-def]
    """Where the counts of runs stand: equal bytes on both sides of a count are no run."""
    found = np.empty(len(fourth), np.int64)
    size = begin = 0
    for at in fourth:
        if begin + _RUN <= at:
            found[size] = at
            size += 1
            begin = at + 1
    return found[:size]


@compiled
def _write_out(text, counts_at, begin, number, piece):  # type: ignore[no-untyped-def]
    """Fills `piece`, which holds more than a block, with what begins at `text[begin]`; `number` is its first count.

    Returns how much is filled, and both numbers for the next piece.
    """
    end = 0
    while begin < len(text):
        stop = counts_at[number] if number < len(counts_at) else len(text)
        more = np.int64(text[stop]) if stop < len(text) else 0
        if end + stop - begin + more > len(piece):
            break
        piece[end : end + stop - begin] = text[begin:stop]
        end += stop - begin
        piece[end : end + more] = text[stop - 1]
        end += more
        begin = stop + 1
        number += 1
    return end, begin, number
