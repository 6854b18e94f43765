"""Truncation of pairs, against popping pieces one by one."""

import numpy as np

from finetuning.kinds.encoding.pieces import truncate_pairs


def test_truncation_equals_popping_one_by_one() -> None:
    a, b = np.meshgrid(np.arange(14), np.arange(14))
    for budget in range(1, 16):
        keep_a, keep_b = truncate_pairs(a.ravel(), b.ravel(), budget)
        for first, second, kept_a, kept_b in zip(a.ravel(), b.ravel(), keep_a, keep_b, strict=True):
            left, right = list(range(first)), list(range(second))
            while len(left) + len(right) > budget:
                (left if len(left) > len(right) else right).pop()
            assert (kept_a, kept_b) == (len(left), len(right)), (first, second, budget)
