"""Truncation of pairs, against popping pieces one by one."""

from typing import ClassVar

import numpy as np

from finetuning.kinds.encoding.pieces import assemble, pieces, truncate_pairs
from preprocessing.tokens.tokenizer import Tokenizer


def test_truncation_equals_popping_one_by_one() -> None:
    a, b = np.meshgrid(np.arange(14), np.arange(14))
    for budget in range(1, 16):
        keep_a, keep_b = truncate_pairs(a.ravel(), b.ravel(), budget)
        for first, second, kept_a, kept_b in zip(a.ravel(), b.ravel(), keep_a, keep_b, strict=True):
            left, right = list(range(first)), list(range(second))
            while len(left) + len(right) > budget:
                (left if len(left) > len(right) else right).pop()
            assert (kept_a, kept_b) == (len(left), len(right)), (first, second, budget)


def test_equal_texts_have_equal_pieces_wherever_they_stand(tokenizer: Tokenizer) -> None:
    for texts in (["the cat", "", "he ran on", "the cat", "he ran on", "it"], ["the cat", "", "it"], []):
        found = pieces(tokenizer, texts)
        alone = [tokenizer.backend.encode(text, add_special_tokens=False).ids for text in texts]
        assert found.lengths.tolist() == [len(ids) for ids in alone]
        assert found.ids.tolist() == [number for ids in alone for number in ids]
        assert found.offsets.tolist() == [sum(map(len, alone[:count])) for count in range(len(texts) + 1)]
        assert (found.ids.dtype, found.offsets.dtype) == (np.int32, np.int64)


def test_each_text_is_encoded_once() -> None:
    class Counting:
        asked: ClassVar[list[list[str]]] = []

        def encode(self, texts: list[str]) -> tuple[np.ndarray, np.ndarray]:
            self.asked.append(texts)
            return np.arange(len(texts), dtype=np.uint16), np.arange(len(texts) + 1, dtype=np.uint32)

    found = pieces(Counting(), ["b", "a", "b"])  # type: ignore[arg-type]
    assert Counting.asked == [["b", "a"]]
    assert (found.ids.tolist(), found.offsets.tolist()) == ([0, 1, 0], [0, 1, 2, 3])
    assert (found.ids.dtype, found.offsets.dtype) == (np.int32, np.int64)


def test_sequences_are_laid_out_with_their_special_pieces(tokenizer: Tokenizer) -> None:
    ids, cls, sep = np.arange(100, 110, dtype=np.int32), tokenizer.cls_id, tokenizer.sep_id
    start_a, keep_a = np.array([0, 4, 9]), np.array([2, 3, 0])
    one = assemble(tokenizer, ids, start_a, keep_a)
    assert [part.dtype for part in one] == [np.int32, np.int64, np.int32]
    assert one[0].tolist() == [cls, 100, 101, sep, cls, 104, 105, 106, sep, cls, sep]
    assert [part.tolist() for part in one[1:]] == [[0, 4, 9, 11], [4, 5, 2]]
    two = assemble(tokenizer, ids, start_a, keep_a, ids + 100, np.array([8, 0, 1]), np.array([1, 0, 2]))
    assert [part.dtype for part in two] == [np.int32, np.int64, np.int32]
    assert two[0].tolist() == [
        *(cls, 100, 101, sep, 208, sep),
        *(cls, 104, 105, 106, sep, sep),
        *(cls, sep, 201, 202, sep),
    ]
    assert [part.tolist() for part in two[1:]] == [[0, 6, 12, 17], [4, 5, 2]]
