"""The loss against torch's own means, and its parts against the whole."""

import pytest
import torch
import torch.nn.functional as F

from pretraining.model.loss import PreTrainingSums, next_sentence_loss
from pretraining.model.packing import IGNORED


def sums_of(
    logits_mv: torch.Tensor, labels_m: torch.Tensor, logits_s2: torch.Tensor, is_random_s: torch.Tensor
) -> PreTrainingSums:
    nsp_loss_sum, nsp_correct = next_sentence_loss(logits_s2, is_random_s)
    return PreTrainingSums(
        F.cross_entropy(logits_mv, labels_m, reduction="sum"),
        nsp_loss_sum,
        (logits_mv.argmax(1) == labels_m).sum(),
        nsp_correct,
        len(labels_m),
        len(is_random_s),
    )


def test_the_parts_of_a_batch_add_up_to_the_sum_of_two_means() -> None:
    generator = torch.Generator().manual_seed(3)
    logits_mv, labels_m = torch.randn(13, 7, generator=generator), torch.randint(7, (13,), generator=generator)
    logits_s2, is_random_s = torch.randn(5, 2, generator=generator), torch.randint(2, (5,), generator=generator)
    whole = F.cross_entropy(logits_mv, labels_m) + F.cross_entropy(logits_s2, is_random_s)
    # Cut unevenly: a mean of means would be wrong.
    parts = [
        sums_of(logits_mv[:2], labels_m[:2], logits_s2[:4], is_random_s[:4]),
        sums_of(logits_mv[2:], labels_m[2:], logits_s2[4:], is_random_s[4:]),
    ]
    assert sum(part.loss(13, 5) for part in parts).item() == pytest.approx(whole.item(), rel=1e-6)


def test_next_sentence_loss_counts_what_is_right() -> None:
    logits_s2 = torch.tensor([[2.0, 0.0], [0.0, 3.0], [1.0, 0.0]])
    loss_sum, correct = next_sentence_loss(logits_s2, torch.tensor([0, 1, 1]))
    expected = sum(torch.log1p(torch.exp(torch.tensor(margin))) for margin in (-2.0, -3.0, 1.0))
    assert loss_sum.item() == pytest.approx(float(expected), rel=1e-6)
    assert correct.item() == 2


def test_ignored_pairs_count_for_nothing() -> None:
    logits_s2 = torch.tensor([[2.0, 0.0], [0.0, 3.0], [5.0, 0.0]], requires_grad=True)
    filled = next_sentence_loss(logits_s2, torch.tensor([0, 0, IGNORED]))
    real = next_sentence_loss(logits_s2[:2], torch.tensor([0, 0]))
    assert [value.item() for value in filled] == [value.item() for value in real]
    (gradient,) = torch.autograd.grad(filled[0], logits_s2)
    assert gradient[:2].all()
    assert not gradient[2].any()
