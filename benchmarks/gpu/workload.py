"""The made-up micro-batches that are measured: packed for this model, padded for `transformers`."""

from dataclasses import dataclass, replace

import torch
from torch import Tensor

from pretraining.configuration.deepspeed import communication
from pretraining.model.config import PUBLISHED_VOCABULARY, BertConfig
from pretraining.model.packing import PackedBatch
from pretraining.planning.flops import Work
from pretraining.planning.memory import memory_per_rank, parameter_sizes

_FULL_SHARE = 0.8  # of sequences; others are of any length from 8 on, as in `benchmarks.synthetic_shards`
_MASKED_SHARE = 0.15


@dataclass(frozen=True)
class Case:
    """A published size, the longest sequence, and sequences of a micro-batch."""

    size: str
    length: int
    sequences: int

    @property
    def name(self) -> str:
        return f"{self.size}-{self.length}"

    @property
    def config(self) -> BertConfig:
        """Dropout as published."""
        return BertConfig.named(self.size, vocab_size=PUBLISHED_VOCABULARY)


def made_up(case: Case, seed: int = 0) -> tuple[PackedBatch, Work]:
    """A micro-batch on the CPU, longest sequences first as the loader has them, and what is computed on."""
    generator = torch.Generator().manual_seed(seed)
    short_s = torch.randint(8, case.length + 1, (case.sequences,), generator=generator)
    is_full_s = torch.rand(case.sequences, generator=generator) < _FULL_SHARE
    lengths_s = torch.where(is_full_s, case.length, short_s).sort(descending=True).values
    lengths = lengths_s.tolist()
    sequences = [torch.randint(5, PUBLISHED_VOCABULARY, (length,), generator=generator).tolist() for length in lengths]
    labels_s = torch.randint(0, 2, (case.sequences,), generator=generator).tolist()
    batch = PackedBatch.from_sequences(sequences, [length // 2 for length in lengths], is_random_next=labels_s)
    tokens = int(lengths_s.sum())
    masked = max(1, round(tokens * _MASKED_SHARE))
    batch = replace(
        batch,
        masked_indices_m=torch.randperm(tokens, generator=generator)[:masked].sort().values,
        masked_labels_m=torch.randint(5, PUBLISHED_VOCABULARY, (masked,), generator=generator),
    )
    return batch, Work(tokens, int((lengths_s**2).sum()), masked, case.sequences)


def planned_gib(case: Case, work: Work, stage: int) -> float:
    """What the planner says that one rank needs for a micro-batch of these very tokens, in bfloat16.

    With the bucket that a run sets, where ZeRO has one.
    """
    bucket = communication({"stage": stage}, 1, parameter_sizes(case.config)).get("reduce_bucket_size", 0)
    planned = memory_per_rank(
        case.config,
        stage=stage,
        ranks=1,
        precision="bf16",
        tokens=work.tokens,
        sequences=work.sequences,
        longest=case.length,
        masked=work.masked_tokens,
        bucket=bucket,
    )
    return planned.total / 2**30


def padded_inputs(batch: PackedBatch) -> dict[str, Tensor]:
    """The same examples as `transformers.BertForPreTraining` takes them, [s, l] padded to the longest sequence."""
    edges_s = batch.cu_seqlens.long()
    real_sl = torch.arange(batch.max_length) < edges_s.diff()[:, None]

    def padded(values_t: Tensor, fill: int) -> Tensor:
        result_sl = torch.full(real_sl.shape, fill)
        result_sl[real_sl] = values_t
        return result_sl

    assert batch.masked_indices_m is not None
    assert batch.masked_labels_m is not None
    assert batch.is_random_next_s is not None
    labels_t = torch.full_like(batch.input_ids_t, -100)  # what the loss leaves out
    labels_t[batch.masked_indices_m] = batch.masked_labels_m
    return {
        "input_ids": padded(batch.input_ids_t, 0),
        "token_type_ids": padded(batch.segment_ids_t, 0),
        "attention_mask": real_sl.long(),
        "labels": padded(labels_t, -100),
        "next_sentence_label": batch.is_random_next_s,
    }
