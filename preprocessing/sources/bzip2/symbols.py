"""A block of bzip2 up to its sorted bytes: prefix codes, moves to the front, runs. After `decompress.c` of bzip2 1.0.8.

What that refuses is refused here, and codes that do not fit together mean what they mean there.
"""

import numpy as np

from preprocessing.compiled import compiled, inlined

WHOLE, INCOMPLETE, DAMAGED, RANDOMISED = 0, 1, 2, 3
"""What became of a block: decoded; not all of its bits lie there yet; it is none; one of bzip2 0.9.0, still mixed."""

SPARE = 4
"""So much longer than a block is what it is read into."""
_SYMBOLS, _MOST_SELECTORS, _GROUP = 258, 18002, 50
_LONGEST, _LOOKED_UP = 20, 11


@inlined
def _filled(words, at, held, count):  # type: ignore[no-untyped-def]
    """(at, held, count) with at least 33 bits, as long as there are more: `held` has the next ones at its upper end."""
    if count <= 32 and at < len(words):
        held |= np.uint64(words[at]) << np.uint64(32 - count)
        at += 1
        count += 32
    return at, held, count


@compiled
def sorted_bytes(words, bit, most, links, counts):  # type: ignore[no-untyped-def]
    """Reads the block whose first bit behind mark and checksum is bit number `bit` of `words`, uint32.

    `links`: uint32 [most + `SPARE`], whose low bytes become the block's bytes, sorted; `counts`: int64 [256], how often
    each occurs. Returns (what became of it, its first row, how many bytes, the bit behind what was read).
    """
    at = bit >> 5
    held, count = np.uint64(0), 0
    at, held, count = _filled(words, at, held, count)
    skipped = bit & 31
    held <<= np.uint64(skipped)
    count -= skipped
    at, held, count = _filled(words, at, held, count)
    if count < 25:
        return INCOMPLETE, 0, 0, 0
    kind = RANDOMISED if held >> np.uint64(63) else WHOLE
    origin = np.int64((held >> np.uint64(39)) & np.uint64(0xFFFFFF))
    held <<= np.uint64(25)
    count -= 25
    if origin > 10 + most:
        return DAMAGED, 0, 0, 32 * at - count

    at, held, count = _filled(words, at, held, count)
    if count < 16:
        return INCOMPLETE, 0, 0, 0
    used = np.int64(held >> np.uint64(48))
    held <<= np.uint64(16)
    count -= 16
    # Eight bytes in a word: most of what comes stands among the first eight, and moves without a loop.
    front = np.zeros(32, np.uint64)
    different = 0
    for row in range(16):
        if used & (0x8000 >> row):
            at, held, count = _filled(words, at, held, count)
            if count < 16:
                return INCOMPLETE, 0, 0, 0
            for column in range(16):
                if (held >> np.uint64(63 - column)) & np.uint64(1):
                    front[different >> 3] |= np.uint64(row * 16 + column) << np.uint64(8 * (different & 7))
                    different += 1
            held <<= np.uint64(16)
            count -= 16
    if different == 0:
        return DAMAGED, 0, 0, 32 * at - count
    symbols = different + 2

    at, held, count = _filled(words, at, held, count)
    if count < 18:
        return INCOMPLETE, 0, 0, 0
    tables = np.int64(held >> np.uint64(61))
    selectors = np.int64((held >> np.uint64(46)) & np.uint64(0x7FFF))
    held <<= np.uint64(18)
    count -= 18
    if tables < 2 or tables > 6 or selectors < 1:
        return DAMAGED, 0, 0, 32 * at - count
    selector = np.empty(_MOST_SELECTORS, np.uint8)
    order = np.arange(6).astype(np.uint8)
    for number in range(selectors):
        at, held, count = _filled(words, at, held, count)
        place = 0
        while True:
            if count < 1:
                return INCOMPLETE, 0, 0, 0
            one = held >> np.uint64(63)
            held <<= np.uint64(1)
            count -= 1
            if one == 0:
                break
            place += 1
            if place >= tables:
                return DAMAGED, 0, 0, 32 * at - count
        chosen = order[place]
        for other in range(place, 0, -1):
            order[other] = order[other - 1]
        order[0] = chosen
        if number < _MOST_SELECTORS:
            selector[number] = chosen
    if selectors > _MOST_SELECTORS:
        selectors = np.int64(_MOST_SELECTORS)

    lengths = np.empty(_SYMBOLS, np.int64)
    limit = np.empty((6, _LONGEST + 3), np.int64)
    base = np.empty((6, _LONGEST + 3), np.int64)
    by_code = np.empty((6, _SYMBOLS), np.int64)
    shortest = np.empty(6, np.int64)
    table = np.empty((6, 1 << _LOOKED_UP), np.uint16)
    for number in range(tables):
        at, held, count = _filled(words, at, held, count)
        if count < 5:
            return INCOMPLETE, 0, 0, 0
        length = np.int64(held >> np.uint64(59))
        held <<= np.uint64(5)
        count -= 5
        for symbol in range(symbols):
            while True:
                if length < 1 or length > _LONGEST:
                    return DAMAGED, 0, 0, 32 * at - count
                at, held, count = _filled(words, at, held, count)
                if count < 1:
                    return INCOMPLETE, 0, 0, 0
                if held >> np.uint64(63) == 0:
                    held <<= np.uint64(1)
                    count -= 1
                    break
                if count < 2:
                    return INCOMPLETE, 0, 0, 0
                if (held >> np.uint64(62)) & np.uint64(1):
                    length -= 1
                else:
                    length += 1
                held <<= np.uint64(2)
                count -= 2
            lengths[symbol] = length
        _make_codes(lengths, symbols, limit[number], base[number], by_code[number], shortest, number)
        _make_table(limit[number], base[number], by_code[number], shortest[number], table[number])

    counts[:] = 0
    end = different + 1
    size = group = left = 0
    run, weight = np.int64(0), 1
    first = front[0]
    codes, limits, bases, symbol_of, least = table[0], limit[0], base[0], by_code[0], shortest[0]
    while True:
        if left == 0:
            if group >= selectors:
                return DAMAGED, 0, 0, 32 * at - count
            number = selector[group]
            codes, limits, bases = table[number], limit[number], base[number]
            symbol_of, least = by_code[number], shortest[number]
            group += 1
            left = _GROUP
        left -= 1
        at, held, count = _filled(words, at, held, count)
        entry = codes[held >> np.uint64(64 - _LOOKED_UP)]
        if entry:
            taken = np.int64(entry & np.uint16(15))
            found = np.int64(entry >> np.uint16(4)) - 1
        else:
            taken = np.int64(least)
            while taken <= _LONGEST and np.int64(held >> np.uint64(64 - taken)) > limits[taken]:
                taken += 1
            if taken > _LONGEST:
                return (DAMAGED if count >= taken else INCOMPLETE), 0, 0, 32 * at - count + taken
            place = np.int64(held >> np.uint64(64 - taken)) - bases[taken]
            if place < 0 or place >= _SYMBOLS:
                return (DAMAGED if count >= taken else INCOMPLETE), 0, 0, 32 * at - count + taken
            found = symbol_of[place]
        if taken > count:
            return INCOMPLETE, 0, 0, 0
        held <<= np.uint64(taken)
        count -= taken
        if found <= 1:
            if weight >= 2 << 20:
                return DAMAGED, 0, 0, 32 * at - count
            run += weight << found
            weight <<= 1
            continue
        if run:
            if size + run > most:
                return DAMAGED, 0, 0, 32 * at - count
            byte = np.uint32(first & np.uint64(0xFF))
            counts[byte] += run
            # Most runs are short: what is written too much is written over, and no length of a loop is to be guessed.
            links[size] = links[size + 1] = links[size + 2] = links[size + 3] = byte
            for index in range(size + 4, size + run):
                links[index] = byte
            size = size + int(run)
            run, weight = np.int64(0), 1
        if found == end:
            break
        if size >= most:
            return DAMAGED, 0, 0, 32 * at - count
        rank = found - 1
        shift = np.uint64(8 * (rank & 7))
        below = (np.uint64(1) << shift) - np.uint64(1)
        if rank < 8:
            moved = (first >> shift) & np.uint64(0xFF)
            first = (first & ~(below | (np.uint64(0xFF) << shift))) | ((first & below) << np.uint64(8)) | moved
        else:
            front[0] = first
            word = rank >> 3
            held_there = front[word]
            moved = (held_there >> shift) & np.uint64(0xFF)
            front[word] = (
                (held_there & ~(below | (np.uint64(0xFF) << shift)))
                | ((held_there & below) << np.uint64(8))
                | (front[word - 1] >> np.uint64(56))
            )
            for index in range(word - 1, 0, -1):
                front[index] = (front[index] << np.uint64(8)) | (front[index - 1] >> np.uint64(56))
            first = (first << np.uint64(8)) | moved
        byte = np.uint32(moved)
        links[size] = byte
        counts[byte] += 1
        size += 1
    if origin >= size:
        return DAMAGED, 0, 0, 32 * at - count
    return kind, origin, size, 32 * at - count


@compiled
def _make_codes(lengths, symbols, limit, base, by_code, shortest, number):  # type: ignore[no-untyped-def]
    """`BZ2_hbCreateDecodeTables`: of each length the last code, and what to take from a code for its place."""
    least, longest = 32, 0
    for symbol in range(symbols):
        longest = max(longest, lengths[symbol])
        least = min(least, lengths[symbol])
    place = 0
    by_code[:] = 0
    for length in range(least, longest + 1):
        for symbol in range(symbols):
            if lengths[symbol] == length:
                by_code[place] = symbol
                place += 1
    base[:] = 0
    for symbol in range(symbols):
        base[lengths[symbol] + 1] += 1
    for length in range(1, _LONGEST + 3):
        base[length] += base[length - 1]
    limit[:] = 0
    code = 0
    for length in range(least, longest + 1):
        code += base[length + 1] - base[length]
        limit[length] = code - 1
        code <<= 1
    for length in range(least + 1, longest + 1):
        base[length] = ((limit[length - 1] + 1) << 1) - base[length]
    shortest[number] = least


@compiled
def _make_table(limit, base, by_code, shortest, table):  # type: ignore[no-untyped-def]
    """By the next bits: symbol + 1 and, in the lowest four bits, the length of its code; 0 where the code is longer."""
    for bits in range(1 << _LOOKED_UP):
        table[bits] = 0
        for length in range(shortest, _LOOKED_UP + 1):
            code = bits >> (_LOOKED_UP - length)
            if code <= limit[length]:
                place = code - base[length]
                if 0 <= place < _SYMBOLS:
                    table[bits] = ((by_code[place] + 1) << 4) | length
                break
