"""Sums over all ranks that are wrong or fail."""

import torch

from cluster.checks.sums import Sum, difference, faults, numbers_of, summary

MEBIBYTE = 2**20


def findings(*wrong: str) -> list[Sum]:
    return [
        Sum(host=f"n{rank + 1}", rank=rank, bytes=MEBIBYTE, seconds=0.001, wrong=text)
        for rank, text in enumerate(wrong)
    ]


def test_right_sums() -> None:
    assert faults(findings("", "", "")) == []
    assert summary(findings("", "", "")) == "1 MiB over 3 ranks, right everywhere, 1.40 GB/s"
    assert summary(findings("")) == "one rank"


def test_the_nodes_with_a_wrong_sum_are_named() -> None:
    (sentence,) = faults(findings("", "3 of 9 numbers, the first 1 and not 2", ""))
    assert sentence.startswith("n2: the sum over all 3 ranks is wrong (rank 1: 3 of 9 numbers, the first 1 and not 2);")
    (sentence,) = faults(findings("x", "x"))
    assert sentence.startswith("every node: the sum over all 2 ranks is wrong")


def test_a_sum_that_failed() -> None:
    (sentence,) = faults([Sum(host="n1", rank=0, bytes=4, error="timed out"), *findings("")])
    assert sentence.startswith("n1: the sum over all ranks failed (timed out); see whether the nodes reach each other")


def test_numbers_are_exact_for_thousands_of_ranks() -> None:
    ranks = 4096
    total = sum((numbers_of(rank, 600).double() for rank in range(ranks)), torch.zeros(600, dtype=torch.float64))
    assert torch.equal(total, (ranks * numbers_of(0, 600) + ranks * (ranks - 1) // 2).double())
    assert total.max() < 2**24


def test_difference() -> None:
    expected = numbers_of(1, 300)
    assert difference(expected.clone(), expected) == ""
    broken = expected.clone()
    broken[[4, 7]] = -1
    assert difference(broken, expected) == "2 of 300 numbers, the first -1 and not 5"
