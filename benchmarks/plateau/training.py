"""One run: a plain loop over the shards' examples, the same batches in every run."""

import time
from collections.abc import Callable
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from benchmarks.plateau.settings import Setting
from benchmarks.step_time import padded_inputs
from benchmarks.transformers_model import as_transformers
from preprocessing.shards import ShardSet
from pretraining.data.dynamic_masking import vocabulary_of
from pretraining.data.examples import Examples
from pretraining.data.sampler import permute
from pretraining.devices.abilities import abilities_of
from pretraining.model.bert import BertForPreTraining
from pretraining.model.config import BertConfig
from pretraining.model.neighbour_start import start_at_neighbours
from pretraining.model.packing import PackedBatch
from pretraining.optimization.optimizers import build_optimizer
from pretraining.optimization.options import OptimizerConfig

EVALUATIONS = 10
WARM_UP = 0.05  # of the run's time
HELD_OUT = 800  # examples
_AT_A_TIME = 100
_LABELS_FROM = 20_000  # examples


@dataclass(frozen=True)
class Point:
    """Held-out figures after so many processor seconds, steps and tokens; loss of masked pieces in nats."""

    seconds: float
    steps: int
    tokens: int
    loss: float
    accuracy: float
    next_sentence_accuracy: float


@dataclass(frozen=True)
class Network:
    """A model of either framework. `loss` is the mean over a batch's masked pieces, with that of next sentences;
    `score` the sums of a batch: nats, right pieces, pieces, right next sentences, sequences.
    """

    module: nn.Module
    loss: Callable[[PackedBatch], Tensor]
    score: Callable[[PackedBatch], tuple[float, float, float, float, float]]


def train(setting: Setting, shards: Path, seconds: float, length: int, seed: int = 1) -> list[Point]:
    """Trains for so many processor seconds in one thread, at a constant rate after the warm-up; held-out evaluations
    are not counted. bfloat16 autocast where the processor has instructions for it.
    """
    torch.set_num_threads(1)
    torch.manual_seed(seed)
    shard_set = ShardSet.open(shards)
    examples, held_out = (Examples([shard_set], split, length) for split in ("train", "heldout"))
    vocabulary = vocabulary_of(shard_set) if setting.masking == "dynamic" else None
    network = _network(setting, shard_set.manifest.vocabulary_size, examples)
    parameters = list(network.module.parameters())
    optimizer = build_optimizer(network.module, OptimizerConfig(learning_rate=setting.rate))
    mixed = abilities_of(torch.device("cpu")).has_bfloat16
    chosen = np.sort(permute(np.arange(min(HELD_OUT, len(held_out))), len(held_out), (1,)))
    batches = [held_out.pack(chosen[start : start + _AT_A_TIME]) for start in range(0, len(chosen), _AT_A_TIME)]
    points: list[Point] = []
    spent, steps, tokens = 0.0, 0, 0
    while True:
        if spent >= seconds * len(points) / EVALUATIONS:
            points.append(Point(round(spent, 1), steps, tokens, *evaluate(network, batches)))
        if spent >= seconds:
            return points
        begun = time.process_time()
        for group in optimizer.param_groups:
            group["lr"] = setting.rate * min(1.0, spent / seconds / WARM_UP + 1e-3)
        numbers = np.arange(steps * setting.batch, (steps + 1) * setting.batch)
        passes = numbers // len(examples)
        order = permute(numbers % len(examples), len(examples), (1, int(passes[0])))
        batch = examples.pack(order, passes=passes, seed=1, vocabulary=vocabulary)
        batch = replace(batch, dropout_keys_s=torch.from_numpy(numbers))
        with torch.autocast("cpu", torch.bfloat16, enabled=mixed):
            loss = network.loss(batch)
        optimizer.zero_grad()
        loss.backward()
        nn.utils.clip_grad_norm_(parameters, 1.0)
        optimizer.step()
        steps, tokens, spent = steps + 1, tokens + batch.tokens, spent + time.process_time() - begun


@torch.no_grad()
def evaluate(network: Network, batches: list[PackedBatch]) -> tuple[float, float, float]:
    """Loss and accuracy of masked pieces, accuracy of next sentences."""
    network.module.eval()
    sums = np.sum([network.score(batch) for batch in batches], axis=0)
    network.module.train()
    return float(sums[0] / sums[2]), float(sums[1] / sums[2]), float(sums[3] / sums[4])


def _network(setting: Setting, vocabulary_size: int, examples: Examples) -> Network:
    config = BertConfig(
        vocab_size=vocabulary_size,
        num_hidden_layers=setting.layers,
        hidden_size=setting.width,
        num_attention_heads=setting.heads,
        intermediate_size=4 * setting.width,
        hidden_dropout_prob=setting.dropout,
        attention_probs_dropout_prob=setting.dropout,
        initializer_range=setting.deviation,
    )
    model = BertForPreTraining(config)
    if setting.scale is not None:
        start_at_neighbours(model, setting.scale, heads=setting.beside)
    if setting.bias:
        with torch.no_grad():
            model.mlm_head.decoder_bias.copy_(_log_frequencies(examples, vocabulary_size))
    return _ours(setting, model) if setting.framework == "ours" else _theirs(setting, model)


def _log_frequencies(examples: Examples, vocabulary_size: int) -> Tensor:
    """Of labels, float32 [vocabulary]; one added to each count."""
    counts = np.ones(vocabulary_size)
    for start in range(0, min(len(examples), _LABELS_FROM), 1000):
        labels = examples.pack(np.arange(start, min(start + 1000, len(examples)))).masked_labels_m
        assert labels is not None
        counts += np.bincount(labels.numpy(), minlength=vocabulary_size)
    return torch.from_numpy(np.log(counts / counts.sum())).float()


def _ours(setting: Setting, model: BertForPreTraining) -> Network:
    def loss(batch: PackedBatch) -> Tensor:
        sums = model(batch)
        whole = sums.loss(sums.masked_tokens, sums.sequences)
        return whole if setting.next_sentence else sums.mlm_loss_sum / sums.masked_tokens

    def score(batch: PackedBatch) -> tuple[float, float, float, float, float]:
        sums = model(batch)
        found = (sums.mlm_loss_sum, sums.mlm_correct, sums.masked_tokens, sums.nsp_correct, sums.sequences)
        nats, right, pieces, right_next, sequences = (float(one) for one in found)
        return nats, right, pieces, right_next, sequences

    return Network(model.train(), loss, score)


def _theirs(setting: Setting, model: BertForPreTraining) -> Network:
    """`transformers` from the same weights, on batches padded to their longest sequence."""
    other = as_transformers(model)

    def loss(batch: PackedBatch) -> Tensor:
        found = other(**padded_inputs(batch))
        assert setting.next_sentence
        loss: Tensor = found.loss
        return loss

    def score(batch: PackedBatch) -> tuple[float, float, float, float, float]:
        inputs = padded_inputs(batch)
        found = other(**inputs)
        masked = inputs["labels"] != -100
        labels_m, logits_mv = inputs["labels"][masked], found.prediction_logits[masked]
        right_next = (found.seq_relationship_logits.argmax(-1) == inputs["next_sentence_label"]).sum()
        nats = F.cross_entropy(logits_mv, labels_m, reduction="sum")
        right = (logits_mv.argmax(-1) == labels_m).sum()
        return float(nats), float(right), float(len(labels_m)), float(right_next), float(batch.sequences)

    return Network(other, loss, score)
