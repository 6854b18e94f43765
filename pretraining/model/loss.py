"""The pretraining loss: masked tokens plus next sentence, each a mean of its own (Devlin et al. 2019, section 3.1).

A micro-batch gives sums; what they are divided by are counts of the whole global batch, so that the loss and its
gradient do not depend on how the batch is cut. The masked-token term is in `masked_token_loss.py`.
"""

from typing import NamedTuple

import torch.nn.functional as F
from torch import Tensor


class PreTrainingSums(NamedTuple):
    """Sums over the micro-batch, never means: the caller divides by the counts of the whole global batch."""

    mlm_loss_sum: Tensor  # float32: cross-entropy in nats over masked positions
    nsp_loss_sum: Tensor  # float32: cross-entropy in nats over sequences
    mlm_correct: Tensor  # int64: masked positions where the most likely token is the label
    nsp_correct: Tensor  # int64
    masked_tokens: Tensor  # int64, as the next: without filler, so only the device knows it
    sequences: Tensor

    def loss(self, masked_tokens: int | Tensor, sequences: int | Tensor) -> Tensor:
        """This micro-batch's part of the loss in nats (float32, a scalar) of a batch with so many of both."""
        return self.mlm_loss_sum / masked_tokens + self.nsp_loss_sum / sequences


def next_sentence_loss(logits_s2: Tensor, is_random_s: Tensor) -> tuple[Tensor, Tensor]:
    """Sum over s of −log softmax(logits)[label] in nats (float32), and how many are right (int64).

    `is_random_s` (int64): 1 where segment B is not what follows A, 0 where it is; `packing.IGNORED` counts for nothing.
    """
    loss_sum = F.cross_entropy(logits_s2.float(), is_random_s, reduction="sum")
    return loss_sum, (logits_s2.argmax(-1) == is_random_s).sum()
