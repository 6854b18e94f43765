"""The encoder with the small head of a kind of task (Devlin et al. 2018, figure 4 and section 4)."""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn

from finetuning.kinds.batches import Batch
from finetuning.kinds.protocol import Kind
from pretraining.model.bert import BertModel, initialise
from pretraining.model.dropout import Dropout


class TaskModel(nn.Module):
    """BERT and a linear map, joined as the kind says."""

    def __init__(self, encoder: BertModel, kind: Kind[Any], classes: int) -> None:
        super().__init__()
        self.encoder = encoder
        self.kind = kind
        self.dropout = Dropout(encoder.config.hidden_dropout_prob)
        self.head = nn.Linear(encoder.config.hidden_size, kind.outputs(classes))
        initialise(self.head, encoder.config.initializer_range)
        # A weight that no loss reaches would only decay.
        encoder.pooler.requires_grad_(kind.uses_pooler)

    def forward(self, batch: Batch) -> Tensor:
        """Logits, in the shape that the kind gives them."""
        return self.kind.logits(self.encoder, self.dropout, self.head, batch)
