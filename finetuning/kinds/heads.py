"""The encoder with one small head for each kind of task (Devlin et al. 2018, figure 4 and section 4).

Shape letters: t pieces, s sequences, i items, w words, h width, c classes.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from finetuning.kinds.collate import Batch
from finetuning.kinds.encoding import UNLABELLED
from finetuning.tasks.task import Kind
from pretraining.model.bert import BertModel, initialise
from pretraining.model.dropout import Dropout

HUGGINGFACE_HEADS: dict[str, tuple[str, str]] = {
    "classification": ("BertForSequenceClassification", "classifier"),
    "regression": ("BertForSequenceClassification", "classifier"),
    "choice": ("BertForMultipleChoice", "classifier"),
    "token": ("BertForTokenClassification", "classifier"),
    "span": ("BertForQuestionAnswering", "qa_outputs"),
}
"""For each kind: the class of `transformers` with the same computation, and the name of its head's weights."""


class TaskModel(nn.Module):
    """BERT and a linear map: of [CLS] (classification, regression, choice), or of pieces (token, span)."""

    def __init__(self, encoder: BertModel, kind: Kind, classes: int) -> None:
        super().__init__()
        self.encoder = encoder
        self.kind = kind
        outputs = {"regression": 1, "choice": 1, "span": 2}.get(kind, classes)
        self.dropout = Dropout(encoder.config.hidden_dropout_prob)
        self.head = nn.Linear(encoder.config.hidden_size, outputs)
        initialise(self.head, encoder.config.initializer_range)
        # No loss reaches the pooler of token and span tasks; a gradient-free weight would only decay.
        encoder.pooler.requires_grad_(kind not in ("token", "span"))

    def forward(self, batch: Batch) -> Tensor:
        """Logits: [i, c] classification, [i] regression, [i, choices] choice, [w, c] token, [t, 2] span."""
        if self.kind in ("token", "span"):
            *_, hidden_th = self.encoder.hidden_states(batch.packed)
            if self.kind == "span":
                return self.head(hidden_th)
            assert batch.word_indices_w is not None
            return self.head(self.dropout(hidden_th.index_select(0, batch.word_indices_w)))
        _, pooled_sh = self.encoder(batch.packed)
        logits = self.head(self.dropout(pooled_sh))
        if self.kind == "regression":
            return logits.squeeze(-1)
        return logits.view(len(batch.items), -1) if self.kind == "choice" else logits


def loss_sum(kind: Kind, logits: Tensor, batch: Batch) -> Tensor:
    """Sum of the losses in float32, to be divided by the number of labels of the whole batch (`labels_in`).

    Squared error (regression); cross-entropy in nats (others); for a span the mean of those of its two ends.
    """
    logits = logits.float()
    if kind == "regression":
        return F.mse_loss(logits, batch.labels, reduction="sum")
    if kind != "span":
        return F.cross_entropy(logits, batch.labels, ignore_index=UNLABELLED, reduction="sum")
    first_s = batch.packed.cu_seqlens[:-1].long()
    log_total_s2 = segment_logsumexp(logits, batch.packed.cu_seqlens)
    at_start_s = logits[first_s + batch.labels[:, 0], 0]
    at_end_s = logits[first_s + batch.labels[:, 1], 1]
    return (log_total_s2.sum() - at_start_s.sum() - at_end_s.sum()) / 2


def segment_logsumexp(logits_tc: Tensor, cu_seqlens: Tensor) -> Tensor:
    """log ∑ exp over the pieces of each sequence: [t, c] → [s, c], the same dtype."""
    lengths_s = cu_seqlens.diff().long()
    columns = logits_tc.shape[1]
    sequences_s = torch.arange(len(lengths_s), device=logits_tc.device)
    # With the size of the result given, the host does not wait for the device to work it out.
    sequence_t = torch.repeat_interleave(sequences_s, lengths_s, output_size=len(logits_tc))
    sequence_tc = sequence_t[:, None].expand(-1, columns)
    top_sc = logits_tc.new_full((len(lengths_s), columns), -torch.inf)
    top_sc = top_sc.scatter_reduce(0, sequence_tc, logits_tc.detach(), "amax")
    total_sc = torch.zeros_like(top_sc).scatter_add(0, sequence_tc, (logits_tc - top_sc.gather(0, sequence_tc)).exp())
    return total_sc.log() + top_sc
