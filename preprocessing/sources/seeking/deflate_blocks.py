"""Where the blocks of a Deflate stream begin: a decoder that stops at each of them (RFC 1951).

Python's `zlib` decodes, but does not say where a block begins, and a range of a gzip file can only begin there. What
is decoded here is checked against the checksum of the gzip member, and is read again with `zlib`.
"""

import numpy as np

from preprocessing.compiled import compiled, inlined

WINDOW_BYTES = 1 << 15
BLOCK_END, STREAM_END, NEEDS_INPUT, OUTPUT_FULL, DAMAGED = range(5)
# Zero bytes that the caller leaves behind the input: a header may claim to be longer than what is left of a file.
PADDING_BYTES = 1024
# The longest header of a block: 17 bits, 19 lengths of 3 bits, 320 lengths of at most 14 bits.
_HEADER_BITS = 17 + 19 * 3 + 320 * 14
# The longest symbol: a length of 15 + 5 bits and a distance of 15 + 13.
_SYMBOL_BITS = 48
_LONGEST_MATCH = 258

# Fields of `state`, int64: the next bit of the input, the next byte of the output, what is being read, whether the
# block is the last one, bytes left of a stored block, and where in the output the history begins.
BIT, OUT, PHASE, IS_LAST, LEFT, HISTORY, STATE_FIELDS = range(7)
_HEADER, _CODED, _STORED = range(3)

_FAST_BITS = 11
_LENGTH_BASE = np.array(
    [3, 4, 5, 6, 7, 8, 9, 10, 11, 13, 15, 17, 19, 23, 27, 31, 35, 43, 51, 59, 67, 83, 99, 115, 131, 163, 195, 227, 258],
    np.int64,
)
_LENGTH_EXTRA = np.array(
    [0, 0, 0, 0, 0, 0, 0, 0, 1, 1, 1, 1, 2, 2, 2, 2, 3, 3, 3, 3, 4, 4, 4, 4, 5, 5, 5, 5, 0], np.int64
)
_DISTANCE_BASE = np.array(
    [
        *(1, 2, 3, 4, 5, 7, 9, 13, 17, 25, 33, 49, 65, 97, 129, 193, 257, 385, 513, 769, 1025, 1537, 2049, 3073),
        *(4097, 6145, 8193, 12289, 16385, 24577),
    ],
    np.int64,
)
_DISTANCE_EXTRA = np.array(
    [0, 0, 0, 0, 1, 1, 2, 2, 3, 3, 4, 4, 5, 5, 6, 6, 7, 7, 8, 8, 9, 9, 10, 10, 11, 11, 12, 12, 13, 13], np.int64
)
_LENGTH_ORDER = np.array([16, 17, 18, 0, 8, 7, 9, 6, 10, 5, 11, 4, 12, 3, 13, 2, 14, 1, 15], np.int64)


def new_tables() -> tuple[np.ndarray, np.ndarray]:
    """Room for the two codes of a block: fast int32 [2, 2048], by the next 11 bits; slow int32 [2, 16 + 320]: how many
    symbols have each length, then the symbols in the order of their codes."""
    return np.zeros((2, 1 << _FAST_BITS), np.int32), np.zeros((2, 16 + 320), np.int32)


@inlined
def _bits(data: np.ndarray, bit: int) -> np.uint64:
    """The next 57 bits or more, the first one lowest."""
    at = np.uint64(bit) >> np.uint64(3)
    word = np.uint64(0)
    for index in range(8):
        word |= np.uint64(data[at + np.uint64(index)]) << np.uint64(8 * index)
    return word >> (np.uint64(bit) & np.uint64(7))


@compiled
def _build(lengths: np.ndarray, fast: np.ndarray, slow: np.ndarray) -> bool:
    """Fills the tables of one code from the lengths of its symbols, int64 [n]; False where they make no code."""
    fast[:] = 0
    slow[:16] = 0
    for length in lengths:
        slow[length] += 1
    slow[0] = 0
    left = 1
    starts = np.zeros(17, np.int64)
    codes = np.zeros(17, np.int64)
    used = 0
    for length in range(1, 16):
        left = (left << 1) - slow[length]
        if left < 0:
            return False
        starts[length + 1] = starts[length] + slow[length]
        codes[length + 1] = (codes[length] + slow[length]) << 1
        used += slow[length]
    if left > 0 and not (used == 0 or (used == 1 and slow[1] == 1)):  # an incomplete code: only with one symbol
        return False
    for symbol in range(len(lengths)):
        length = lengths[symbol]
        if length == 0:
            continue
        slow[16 + starts[length]] = symbol
        starts[length] += 1
        code = codes[length]
        codes[length] += 1
        if length <= _FAST_BITS:
            reverse = 0
            for _ in range(length):
                reverse = (reverse << 1) | (code & 1)
                code >>= 1
            for place in range(reverse, 1 << _FAST_BITS, 1 << length):
                fast[place] = (symbol << 4) | length
    return True


@compiled
def _decode_slowly(word: np.uint64, slow: np.ndarray) -> int:
    """(symbol << 4) | length of the code in the lowest bits, found bit by bit; 0 where there is none."""
    code = first = index = 0
    for length in range(1, 16):
        code |= int(word & np.uint64(1))
        word >>= np.uint64(1)
        count = slow[length]
        if code - count < first:
            return (int(slow[16 + index + code - first]) << 4) | length
        index += count
        first = (first + count) << 1
        code <<= 1
    return 0


@compiled
def _read_codes(data: np.ndarray, bit: int, kind: int, fast: np.ndarray, slow: np.ndarray) -> int:
    """Reads the codes of a block (`kind` 1: the fixed ones) into the tables; the bit after them, or -1."""
    lengths = np.zeros(320, np.int64)
    if kind == 1:
        lengths[:144] = 8
        lengths[144:256] = 9
        lengths[256:280] = 7
        lengths[280:288] = 8
        _build(lengths[:288], fast[0], slow[0])
        lengths[:30] = 5
        fast[1][:] = 0
        # 30 of 32 codes: the two that are left are refused when they are met.
        lengths[30:32] = 5
        _build(lengths[:32], fast[1], slow[1])
        return bit
    word = _bits(data, bit)
    literals = int(word & np.uint64(31)) + 257
    distances = int((word >> np.uint64(5)) & np.uint64(31)) + 1
    count = int((word >> np.uint64(10)) & np.uint64(15)) + 4
    if literals > 286 or distances > 30:
        return -1
    bit += 14
    short = np.zeros(19, np.int64)
    for index in range(count):
        short[_LENGTH_ORDER[index]] = int(_bits(data, bit) & np.uint64(7))
        bit += 3
    if not _build(short, fast[0], slow[0]) or slow[0][1:16].sum() == 0:
        return -1
    index = 0
    while index < literals + distances:
        word = _bits(data, bit)
        entry = _decode_slowly(word, slow[0])
        if entry == 0:
            return -1
        symbol, used = entry >> 4, entry & 15
        bit += used
        word >>= np.uint64(used)
        if symbol < 16:
            lengths[index] = symbol
            index += 1
            continue
        value = 0
        if symbol == 16:
            if index == 0:
                return -1
            value = lengths[index - 1]
            repeat = 3 + int(word & np.uint64(3))
            bit += 2
        elif symbol == 17:
            repeat = 3 + int(word & np.uint64(7))
            bit += 3
        else:
            repeat = 11 + int(word & np.uint64(127))
            bit += 7
        if index + repeat > literals + distances:
            return -1
        lengths[index : index + repeat] = value
        index += repeat
    if lengths[256] == 0:
        return -1
    if not _build(lengths[literals : literals + distances].copy(), fast[1], slow[1]):
        return -1
    return bit if _build(lengths[:literals].copy(), fast[0], slow[0]) else -1


@compiled
def inflate(
    data: np.ndarray, size: int, at_end: bool, out: np.ndarray, state: np.ndarray, fast: np.ndarray, slow: np.ndarray
) -> int:
    """Decodes up to the end of the block that is open or begins; returns one of the five outcomes.

    `data`, uint8: `size` bytes of input and PADDING_BYTES more; `at_end`: no more will come. `out`, uint8: what was
    decoded stands in `[state[HISTORY], state[OUT])`, of which the last WINDOW_BYTES must be kept. `state`, int64
    [STATE_FIELDS], is zero at the start of a stream, but for BIT, and is where the next call goes on.
    """
    bit = state[BIT]
    written = np.uint64(state[OUT])
    history = np.uint64(state[HISTORY])
    limit = size * 8
    full = np.uint64(len(out) - _LONGEST_MATCH - 8)
    if state[PHASE] == _HEADER:
        if not at_end and limit - bit < _HEADER_BITS:
            return NEEDS_INPUT
        word = _bits(data, bit)
        state[IS_LAST] = int(word & np.uint64(1))
        kind = int((word >> np.uint64(1)) & np.uint64(3))
        bit += 3
        if kind == 3 or bit > limit:
            return DAMAGED
        if kind == 0:
            bit = (bit + 7) & -8
            word = _bits(data, bit)
            length = int(word & np.uint64(0xFFFF))
            if length ^ int((word >> np.uint64(16)) & np.uint64(0xFFFF)) != 0xFFFF:
                return DAMAGED
            bit += 32
            state[LEFT] = length
            state[PHASE] = _STORED
        else:
            bit = _read_codes(data, bit, kind, fast, slow)
            if bit < 0:
                return DAMAGED
            state[PHASE] = _CODED
        if bit > limit:
            return DAMAGED
        state[BIT] = bit
    if state[PHASE] == _STORED:
        at = np.uint64(bit) >> np.uint64(3)
        while state[LEFT] > 0:
            count = min(state[LEFT], size - int(at), len(out) - int(written))
            if count <= 0:
                state[BIT], state[OUT] = int(at) * 8, int(written)
                if int(at) < size:
                    return OUTPUT_FULL
                return DAMAGED if at_end else NEEDS_INPUT
            for _ in range(count):
                out[written] = data[at]
                written += np.uint64(1)
                at += np.uint64(1)
            state[LEFT] -= count
        state[BIT], state[OUT], state[PHASE] = int(at) * 8, int(written), _HEADER
        return STREAM_END if state[IS_LAST] else BLOCK_END
    mask = np.uint64((1 << _FAST_BITS) - 1)
    literal_codes, distance_codes = fast[0], fast[1]
    safe = limit - _SYMBOL_BITS
    outcome = DAMAGED
    while True:
        if written > full:
            outcome = OUTPUT_FULL
            break
        if bit > safe and (bit > limit or not at_end):
            outcome = DAMAGED if bit > limit else NEEDS_INPUT
            break
        word = _bits(data, bit)
        entry = literal_codes[word & mask]
        if entry == 0:
            entry = _decode_slowly(word, slow[0])
            if entry == 0:
                break
        used = entry & 15
        symbol = entry >> 4
        if symbol < 256:
            out[written] = symbol
            written += np.uint64(1)
            bit += used
            continue
        if symbol == 256:
            bit += used
            if bit <= limit:
                outcome = STREAM_END if state[IS_LAST] else BLOCK_END
                state[PHASE] = _HEADER
            break
        if symbol > 285:
            break
        word >>= np.uint64(used)
        extra = _LENGTH_EXTRA[symbol - 257]
        length = _LENGTH_BASE[symbol - 257] + int(word & np.uint64((1 << extra) - 1))
        word >>= np.uint64(extra)
        entry = distance_codes[word & mask]
        if entry == 0:
            entry = _decode_slowly(word, slow[1])
            if entry == 0:
                break
        reach = entry & 15
        symbol = entry >> 4
        if symbol > 29:
            break
        word >>= np.uint64(reach)
        more = _DISTANCE_EXTRA[symbol]
        distance = np.uint64(_DISTANCE_BASE[symbol] + int(word & np.uint64((1 << more) - 1)))
        if distance > written - history:
            break
        bit += used + extra + reach + more
        source = written - distance
        for _ in range(length):
            out[written] = out[source]
            written += np.uint64(1)
            source += np.uint64(1)
    state[BIT], state[OUT] = bit, int(written)
    return outcome
