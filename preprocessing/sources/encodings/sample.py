"""The words of a file that are not ASCII: what its encoding is told from.

Different words only, so that one that is repeated through a book weighs no more than another; the first ones until the
sample is full, and then, to the end of the file, those with a byte that the sample hardly knows: such bytes are often
all that two code pages differ in.
"""

from collections import Counter

SAMPLE_BYTES = 16 << 10
_RARE = 8
_WORD_BYTES = 4 << 10
_CONTEXT_BYTES = 32 << 10
_ASCII = bytes(range(0x80))
# German has two in a hundred, Italian one; of the rest of Europe all but Dutch have more.
_SPARSE = 0.005
# Of a text of some lines a share says less than a count.
_FEW, _FEW_SHARE = 9, 0.03


class Sample:
    """Fed with the blocks of a file in order. Holds `SAMPLE_BYTES` of words, a long one more, and some a rare byte."""

    def __init__(self) -> None:
        self._words: dict[bytes, None] = {}
        self._fragments: dict[bytes, None] = {}
        self._size = 0
        self._seen: Counter[int] = Counter()
        self._known = _ASCII
        self._rest = b""
        self._inside_long_word = False
        self._context: list[bytes] = []
        self._context_size = 0
        self._first = True
        self._bytes = self._high_bytes = 0

    @property
    def is_sparse(self) -> bool:
        """Whether the file is ASCII but for some accents and signs: no language shows in so few."""
        few = self._high_bytes < _FEW and self._high_bytes < _FEW_SHARE * self._bytes
        return few or self._high_bytes < _SPARSE * self._bytes

    @property
    def context(self) -> bytes:
        """The first lines with bytes above ASCII, as they stand in the file; of long ones the first 4 KiB."""
        return b"\n".join(self._context)

    @property
    def words(self) -> list[bytes]:
        """Different words with bytes above ASCII, in the order of the file; of long ones the first 4 KiB.

        They begin with whole characters in every encoding that holds ASCII; a long one may end inside a character.
        """
        return list(self._words)

    @property
    def fragments(self) -> list[bytes]:
        """What stands around rare bytes in long words: for encodings of one byte a character only."""
        return list(self._fragments)

    @property
    def high_bytes(self) -> bytes:
        """The bytes above ASCII in words and fragments, ascending."""
        return bytes(sorted(self._seen))

    def add(self, block: bytes) -> None:
        """The next block of the file."""
        self._bytes += len(block)
        self._high_bytes += len(block.translate(None, _ASCII))
        if self._context_size < _CONTEXT_BYTES and not block.isascii():
            # The first line of a later block may begin inside a character.
            self._add_context(block.split(b"\n")[0 if self._first else 1 :])
        self._first = False
        if self._is_full and not (self._rest + block).translate(None, self._known):
            self._rest = b""
            return
        block = self._rest + block
        if self._inside_long_word:
            head, _, block = block.partition(b" " if b" " in block else b"\n")
            self._look_for_rare(head)
            self._inside_long_word = not block
        end = max(block.rfind(b" "), block.rfind(b"\n")) + 1
        # A word may go on in the next block.
        self._rest = block[end:]
        if len(self._rest) > _WORD_BYTES:
            end, self._rest, self._inside_long_word = len(block), b"", True
        for word in block[:end].split():
            self._take(word)

    def finish(self) -> None:
        """After the last block."""
        self._take(self._rest)
        self._rest = b""

    @property
    def _is_full(self) -> bool:
        return self._size >= SAMPLE_BYTES

    def _add_context(self, lines: list[bytes]) -> None:
        for line in lines:
            if not line.isascii():
                self._context.append(line[:_WORD_BYTES])
                self._context_size += len(self._context[-1])
                if self._context_size >= _CONTEXT_BYTES:
                    return

    def _take(self, word: bytes) -> None:
        if word.isascii():
            return
        if not self._is_full or (len(word) <= _WORD_BYTES and word.translate(None, self._known)):
            self._keep(word[:_WORD_BYTES], self._words)
        self._look_for_rare(word[_WORD_BYTES:])

    def _look_for_rare(self, part: bytes) -> None:
        for byte in set(part.translate(None, self._known)):
            place = part.index(byte)
            self._keep(part[max(0, place - 8) : place + 16], self._fragments)

    def _keep(self, word: bytes, kept: dict[bytes, None]) -> None:
        if word not in kept:
            kept[word] = None
            self._size += len(word)
            self._seen.update(byte for byte in set(word) if byte >= 0x80)
            self._known = _ASCII + bytes(byte for byte, words in self._seen.items() if words >= _RARE)
