"""One training step (forward, backward, AdamW) of ours and of `transformers.BertForPreTraining`, on the same examples.

The same weights, dropout as published, 2 threads, both in float32 or both in bfloat16 autocast; `transformers` with its
fastest attention (sdpa) on a batch padded to its longest sequence. Rounds alternate, so that both see the same machine;
medians.
"""

import gc
import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import torch

from benchmarks.transformers_model import as_transformers
from preprocessing.shards import ShardSet
from pretraining.data.examples import Examples
from pretraining.data.sampler import permute
from pretraining.model.bert import BertForPreTraining
from pretraining.model.config import BertConfig
from pretraining.model.packing import PackedBatch
from pretraining.planning.flops import Work, training_flops
from pretraining.planning.measured_peak import measure_matmul_tflops

# Name → published size, sequence length, sequences in a micro-batch.
CASES: dict[str, tuple[str, int, int]] = {
    "large-128": ("large", 128, 4),
    "large-512": ("large", 512, 1),
    "base-128": ("base", 128, 8),
    "base-512": ("base", 512, 2),
    "mini-128": ("mini", 128, 32),
}


@dataclass(frozen=True)
class StepTimes:
    """Seconds per step, and model FLOPs on real tokens over the measured peak of the same precision. `spread`: the
    lowest and the highest ratio, theirs over ours, of a round.
    """

    ours: float
    theirs: float
    mfu: float
    mfu_theirs: float
    spread: tuple[float, float]


def measure_steps(shard_set: ShardSet, name: str, rounds: int = 5, *, mixed: bool = False) -> StepTimes:
    """Times one case on examples of ``shard_set``; `mixed`: both sides in bfloat16 autocast."""
    size, length, sequences = CASES[name]
    examples = Examples([shard_set], "train", length)
    chosen = np.sort(permute(np.arange(sequences), len(examples), (1,)))
    lengths, masked = examples.measure(chosen)
    batch = examples.pack(chosen[np.argsort(-lengths, kind="stable")])
    batch = replace(batch, dropout_keys_s=torch.from_numpy(chosen))  # of dropout, as the loader gives them
    config = BertConfig.named(size, vocab_size=max(30522, shard_set.manifest.vocabulary_size))
    work = Work(int(lengths.sum()), int((lengths**2).sum()), int(masked.sum()), sequences)
    torch.manual_seed(1)
    model = BertForPreTraining(config)
    steps = {"ours": our_step(model, batch, mixed=mixed), "theirs": their_step(model, batch, mixed=mixed)}
    seconds: dict[str, list[float]] = {"ours": [], "theirs": []}
    for step in steps.values():
        step()
    dtype, peak = torch.bfloat16 if mixed else torch.float32, 0.0
    for _ in range(rounds):
        for which, step in steps.items():
            start = time.perf_counter()
            step()
            seconds[which].append(time.perf_counter() - start)
        # In every round, for the peak too is lower while another program has a core.
        peak = max(peak, measure_matmul_tflops(dtype, seconds=0.3) * 1e12)
    ours, theirs = statistics.median(seconds["ours"]), statistics.median(seconds["theirs"])
    ratios = [one / other for one, other in zip(seconds["theirs"], seconds["ours"], strict=True)]
    flops = training_flops(config, work)
    del steps, model
    gc.collect()
    return StepTimes(ours, theirs, flops / ours / peak, flops / theirs / peak, (min(ratios), max(ratios)))


def our_step(model: BertForPreTraining, batch: PackedBatch, *, mixed: bool = False) -> Callable[[], float]:
    """A function that does one step and returns the loss."""
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-5, fused=True)
    model.train()

    def step() -> float:
        with torch.autocast("cpu", torch.bfloat16, enabled=mixed):
            sums = model(batch)
        loss = sums.loss(sums.masked_tokens, sums.sequences)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return float(loss.detach())

    return step


def their_step(model: BertForPreTraining, batch: PackedBatch, *, mixed: bool = False) -> Callable[[], float]:
    """The same with `transformers`, from the same weights."""
    other = as_transformers(model)
    optimizer = torch.optim.AdamW(other.parameters(), lr=1e-5, fused=True)
    padded = padded_inputs(batch)

    def step() -> float:
        with torch.autocast("cpu", torch.bfloat16, enabled=mixed):
            loss = other(**padded).loss
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        return float(loss.detach())

    return step


def padded_inputs(batch: PackedBatch) -> dict[str, torch.Tensor]:
    """A packed batch as the keyword arguments of `transformers.BertForPreTraining`."""
    if batch.masked_indices_m is None or batch.masked_labels_m is None or batch.is_random_next_s is None:
        raise ValueError("a batch without labels")
    lengths = batch.cu_seqlens.diff().tolist()
    labels_t = torch.full_like(batch.input_ids_t, -100)
    labels_t[batch.masked_indices_m] = batch.masked_labels_m

    def pad(values_t: torch.Tensor, filling: int = 0) -> torch.Tensor:
        return torch.nn.utils.rnn.pad_sequence(values_t.split(lengths), batch_first=True, padding_value=filling)

    return {
        "input_ids": pad(batch.input_ids_t),
        "token_type_ids": pad(batch.segment_ids_t),
        "attention_mask": pad(torch.ones_like(batch.input_ids_t)),
        "labels": pad(labels_t, -100),
        "next_sentence_label": batch.is_random_next_s,
    }
