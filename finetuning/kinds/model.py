"""The encoder with the small head of a kind of task (Devlin et al. 2018, figure 4 and section 4)."""

from __future__ import annotations

from typing import Any

from torch import Tensor, nn

from finetuning.kinds.batches import Batch
from finetuning.kinds.protocol import Kind
from pretraining.model.bert import BertModel, initialise
from pretraining.model.dropout import Dropout
from pretraining.model.dropout_keys import token_keys


class TaskModel(nn.Module):
    """BERT and a linear map, joined as the kind says."""

    def __init__(self, encoder: BertModel, kind: Kind[Any], classes: int) -> None:
        super().__init__()
        self.encoder = encoder
        self.kind = kind
        # A site of its own, behind those of the encoder.
        self.dropout = Dropout(encoder.config.hidden_dropout_prob, site=1 + 3 * encoder.config.num_hidden_layers)
        self.head = nn.Linear(encoder.config.hidden_size, kind.outputs(classes))
        initialise(self.head, encoder.config.initializer_range)
        # A weight that no loss reaches would only decay.
        encoder.pooler.requires_grad_(kind.uses_pooler)

    def forward(self, batch: Batch) -> Tensor:
        """Logits, in the shape that the kind gives them."""
        keys_t = token_keys(batch.packed) if self.training else None

        def dropout(input_nh: Tensor, token_n: Tensor) -> Tensor:
            return self.dropout(input_nh, None, None if keys_t is None else keys_t.index_select(0, token_n))

        return self.kind.logits(self.encoder, dropout, self.head, batch)
