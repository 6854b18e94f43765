"""BERT as published (Devlin et al. 2018, section 3), on packed tokens, readable top to bottom.

Shape letters: t tokens of the micro-batch, s sequences, m masked positions, h width, v vocabulary.
"""

from collections.abc import Iterator

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from pretraining.errors import PretrainingError
from pretraining.model.attention import packed_attention
from pretraining.model.config import BertConfig
from pretraining.model.dropout import Dropout
from pretraining.model.dropout_keys import token_keys
from pretraining.model.linear import Linear, cpu_precision, filled_up
from pretraining.model.loss import PreTrainingSums, next_sentence_loss
from pretraining.model.masked_token_loss import masked_token_loss
from pretraining.model.packing import PackedBatch
from pretraining.model.sequence_layout import SequenceLayout
from pretraining.model.tied_embedding import look_up_tied


class Embeddings(nn.Module):
    """Sum of token, position and segment embeddings (figure 2 of the paper), LayerNorm, dropout."""

    def __init__(self, config: BertConfig) -> None:
        super().__init__()
        self.word = nn.Embedding(config.vocab_size, config.hidden_size)
        self.position = nn.Embedding(config.max_position_embeddings, config.hidden_size)
        self.segment = nn.Embedding(config.type_vocab_size, config.hidden_size)
        self.norm = nn.LayerNorm(config.hidden_size, eps=config.layer_norm_eps)
        self.dropout = Dropout(config.hidden_dropout_prob, site=0)

    def forward(self, batch: PackedBatch, words_th: Tensor | None = None, keys_t: Tensor | None = None) -> Tensor:
        words_th = self.word(batch.input_ids_t) if words_th is None else words_th
        sum_th = words_th + self.position(batch.position_ids_t) + self.segment(batch.segment_ids_t)
        return self.dropout(self.norm(sum_th), None, keys_t)


class SelfAttention(nn.Module):
    """Multi-head self-attention; query, key and value are one matrix product."""

    def __init__(self, config: BertConfig, site: int) -> None:
        super().__init__()
        self.heads = config.num_attention_heads
        self.qkv = Linear(config.hidden_size, 3 * config.hidden_size)
        # LAMB scales query, key and value each by its own ratio.
        for parameter in self.qkv.parameters():
            parameter.stacked = 3  # type: ignore[attr-defined]
        self.output = Linear(config.hidden_size, config.hidden_size)
        self.probability_dropout = config.attention_probs_dropout_prob
        self.site = site

    def forward(self, hidden_th: Tensor, layout: SequenceLayout, keys_t: Tensor | None) -> Tensor:
        tokens, width = hidden_th.shape
        qkv_t3hd = self.qkv(hidden_th).view(tokens, 3, self.heads, width // self.heads)
        probability = self.probability_dropout if self.training else 0.0
        context_thd = packed_attention(qkv_t3hd, layout, probability, keys_t, self.site)
        return self.output(context_thd.reshape(tokens, width))


class FeedForward(nn.Module):
    """Two layers with the exact (erf) GELU between them."""

    def __init__(self, config: BertConfig) -> None:
        super().__init__()
        self.intermediate = Linear(config.hidden_size, config.intermediate_size)
        self.output = Linear(config.intermediate_size, config.hidden_size)

    def forward(self, hidden_th: Tensor) -> Tensor:
        return self.output(F.gelu(self.intermediate(hidden_th)))


class Layer(nn.Module):
    """One Transformer layer, LayerNorm after each residual sum (post-LayerNorm). `number` counts from 0."""

    def __init__(self, config: BertConfig, number: int) -> None:
        super().__init__()
        site = 1 + 3 * number  # of dropout: 0 is that of the embeddings
        self.attention = SelfAttention(config, site)
        self.attention_norm = nn.LayerNorm(config.hidden_size, eps=config.layer_norm_eps)
        self.feed_forward = FeedForward(config)
        self.feed_forward_norm = nn.LayerNorm(config.hidden_size, eps=config.layer_norm_eps)
        self.attention_dropout = Dropout(config.hidden_dropout_prob, site + 1)
        self.feed_forward_dropout = Dropout(config.hidden_dropout_prob, site + 2)

    def forward(
        self, hidden_th: Tensor, layout: SequenceLayout, keys_t: Tensor | None = None, rows: int | None = None
    ) -> Tensor:
        """[t, h] → [t, h]. `rows`: the tokens of the layout, where rows that fill the batch up stand behind them."""
        attended_th = self.attention(hidden_th, layout, keys_t)
        hidden_th = self.attention_norm(self.attention_dropout(attended_th, hidden_th, keys_t, rows))
        deeper_th = self.feed_forward(hidden_th)
        return self.feed_forward_norm(self.feed_forward_dropout(deeper_th, hidden_th, keys_t, rows))


class Pooler(nn.Module):
    """tanh of a linear map of the first token, [CLS]."""

    def __init__(self, config: BertConfig) -> None:
        super().__init__()
        self.dense = Linear(config.hidden_size, config.hidden_size)

    def forward(self, hidden_th: Tensor, cu_seqlens: Tensor) -> Tensor:
        return torch.tanh(self.dense(hidden_th.index_select(0, cu_seqlens[:-1])))


class BertModel(nn.Module):
    """The encoder. Weights start from a normal distribution cut at two deviations, as the published code does."""

    def __init__(self, config: BertConfig) -> None:
        super().__init__()
        self.config = config
        self.checkpoint_activations = False
        self.embeddings = Embeddings(config)
        self.layers = nn.ModuleList(Layer(config, number) for number in range(config.num_hidden_layers))
        self.pooler = Pooler(config)
        initialise(self, config.initializer_range)

    def hidden_states(self, batch: PackedBatch, words_th: Tensor | None = None) -> Iterator[Tensor]:
        """Yields [t, h] after the embeddings and after each layer: num_hidden_layers + 1 tensors.

        `words_th`: the tokens' word embeddings, where the caller has looked them up already.
        """
        if batch.max_length > self.config.max_position_embeddings:
            raise PretrainingError(
                f"a sequence of {batch.max_length} tokens is longer than the model's "
                f"{self.config.max_position_embeddings} positions: shorten it or build a model with more"
            )
        layout = SequenceLayout.of(batch.cu_seqlens, batch.max_length)
        keys_t = token_keys(batch) if self.training else None
        hidden_th = self.embeddings(batch, words_th, keys_t)
        yield hidden_th
        rows = None
        if cpu_precision(hidden_th) is not None:
            rows, hidden_th = hidden_th.shape[0], filled_up(hidden_th)
        for layer in self.layers:
            if self.checkpoint_activations and self.training:
                hidden_th = checkpoint(layer, hidden_th, layout, keys_t, rows, use_reentrant=False)
            else:
                hidden_th = layer(hidden_th, layout, keys_t, rows)
            yield hidden_th if rows is None else hidden_th[:rows]

    def forward(self, batch: PackedBatch, words_th: Tensor | None = None) -> tuple[Tensor, Tensor]:
        """Returns the last hidden states [t, h] and the pooled [CLS] of each sequence [s, h]."""
        for hidden_th in self.hidden_states(batch, words_th):
            last_th = hidden_th
        return last_th, self.pooler(last_th, batch.cu_seqlens)


class MaskedTokenHead(nn.Module):
    """Loss sum and correct predictions at the masked positions; the decoder is the word embedding (tied)."""

    def __init__(self, config: BertConfig, word_embedding: Tensor) -> None:
        super().__init__()
        self.dense = Linear(config.hidden_size, config.hidden_size)
        self.norm = nn.LayerNorm(config.hidden_size, eps=config.layer_norm_eps)
        self.decoder_weight = word_embedding  # the same parameter, so it is registered here too
        self.decoder_bias = nn.Parameter(torch.zeros(config.vocab_size))

    def forward(self, hidden_mh: Tensor, labels_m: Tensor, decoder_vh: Tensor | None = None) -> tuple[Tensor, Tensor]:
        if cpu_precision(hidden_mh) is not None:
            hidden_mh = filled_up(hidden_mh)
        transformed_mh = self.norm(F.gelu(self.dense(hidden_mh)))
        decoder_vh = self.decoder_weight if decoder_vh is None else decoder_vh
        return masked_token_loss(transformed_mh, decoder_vh, self.decoder_bias, labels_m)

    def scores(self, hidden_mh: Tensor) -> Tensor:
        """[m, v]: of each piece of the vocabulary at each position, before the softmax."""
        transformed_mh = self.norm(F.gelu(self.dense(hidden_mh)))
        return F.linear(transformed_mh, self.decoder_weight, self.decoder_bias)


class BertForPreTraining(nn.Module):
    """Encoder with the masked-token and next-sentence heads; a call returns the sums of both losses."""

    def __init__(self, config: BertConfig) -> None:
        super().__init__()
        self.config = config
        self.bert = BertModel(config)
        self.mlm_head = MaskedTokenHead(config, self.bert.embeddings.word.weight)
        self.nsp_head = Linear(config.hidden_size, 2)
        initialise(self.mlm_head.dense, config.initializer_range)
        initialise(self.nsp_head, config.initializer_range)

    def forward(self, batch: PackedBatch) -> PreTrainingSums:
        indices_m, labels_m, is_random_s = batch.masked_indices_m, batch.masked_labels_m, batch.is_random_next_s
        if indices_m is None or labels_m is None or is_random_s is None:
            raise PretrainingError("pretraining needs masked positions, their labels and next-sentence labels")
        tied = look_up_tied(self.bert.embeddings.word.weight, batch.input_ids_t)
        words_th, decoder_vh = (None, None) if tied is None else tied
        hidden_th, pooled_sh = self.bert(batch, words_th)
        mlm_loss_sum, mlm_correct = self.mlm_head(hidden_th.index_select(0, indices_m), labels_m, decoder_vh)
        nsp_loss_sum, nsp_correct = next_sentence_loss(self.nsp_head(pooled_sh), is_random_s)
        return PreTrainingSums(
            mlm_loss_sum=mlm_loss_sum,
            nsp_loss_sum=nsp_loss_sum,
            mlm_correct=mlm_correct,
            nsp_correct=nsp_correct,
            masked_tokens=(labels_m >= 0).sum(),
            sequences=(is_random_s >= 0).sum(),
        )


def initialise(module: nn.Module, deviation: float) -> None:
    """Matrices and embeddings: normal(0, deviation) cut at two deviations; biases 0; LayerNorm stays 1 and 0."""
    for part in module.modules():
        if isinstance(part, nn.Linear | nn.Embedding):
            nn.init.trunc_normal_(part.weight, std=deviation, a=-2 * deviation, b=2 * deviation)
        if isinstance(part, nn.Linear):
            nn.init.zeros_(part.bias)
