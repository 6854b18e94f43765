"""Held-out figures: masked-token loss and accuracy, next-sentence accuracy, in all and by source."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow.compute as pc
import torch
import torch.distributed as dist

from preprocessing.errors import PreprocessingError
from pretraining.data.examples import Examples
from pretraining.data.sampler import permute
from pretraining.errors import PretrainingError


@dataclass(frozen=True)
class Figures:
    """Means over held-out examples; losses in nats."""

    loss: float
    mlm_loss: float
    mlm_accuracy: float
    nsp_loss: float
    nsp_accuracy: float
    masked_tokens: int
    sequences: int


class HeldOut:
    """A fixed sample of the held-out examples, grouped by the source of segment A."""

    def __init__(self, examples: Examples, limit: int, micro_batch_size: int) -> None:
        self.examples = examples
        self.micro_batch_size = micro_batch_size
        chosen = np.sort(permute(np.arange(min(limit, len(examples))), len(examples), (0,)))
        sources = _sources(examples, chosen)
        self.by_source = {str(name): chosen[sources == name] for name in np.unique(sources)}

    def __len__(self) -> int:
        return sum(len(group) for group in self.by_source.values())

    def evaluate(self, engine: Any) -> dict[str, Figures]:
        """Figures under "all" and under each source's name; collective, equal on every rank."""
        figures = self.evaluate_while(engine, lambda: True)
        assert figures is not None  # noqa: S101: nobody broke it off
        return figures

    @torch.no_grad()
    def evaluate_while(self, engine: Any, may_go_on: Callable[[], bool]) -> dict[str, Figures] | None:
        """As `evaluate`; None when it was broken off.

        `may_go_on` is asked after every micro-batch and must answer alike on all ranks.
        """
        engine.eval()
        totals = torch.zeros(len(self.by_source), 6, dtype=torch.float64, device=engine.device)
        for row, group in enumerate(self.by_source.values()):
            for micro_batch, counts in self._micro_batches(group):
                sums = engine(self.examples.pack(micro_batch).to(engine.device))
                if counts:
                    totals[row] += torch.stack([torch.as_tensor(value).to(totals) for value in sums])
                if not may_go_on():
                    engine.train()
                    return None
        engine.train()
        dist.all_reduce(totals)
        figures = {name: _figures(row) for name, row in zip(self.by_source, totals.tolist(), strict=True)}
        return {"all": _figures(totals.sum(0).tolist()), **figures}

    def _micro_batches(self, group: np.ndarray) -> list[tuple[np.ndarray, bool]]:
        """This rank's micro-batches of a group, as many on every rank (ZeRO-3 gathers weights in step).

        The flag is False for a stand-in that must not count.
        """
        rank, ranks = dist.get_rank(), dist.get_world_size()
        lengths, _ = self.examples.measure(group)
        ordered = group[np.argsort(-lengths, kind="stable")]
        rounds = -(-len(group) // (self.micro_batch_size * ranks))
        parts = np.array_split(ordered, rounds * ranks)[rank::ranks]
        return [(part, True) if len(part) else (ordered[-1:], False) for part in parts]


def _sources(examples: Examples, chosen: np.ndarray) -> np.ndarray:
    """Name of the source of each chosen example (ascending), through its shard's document table."""
    found: list[np.ndarray] = []
    shards = examples.shards.of_examples(chosen)
    for shard in np.unique(shards).tolist():
        rows = chosen[shards == shard] - examples.shards.table.first_example[shard]
        shard_set, record = examples.shards.locate(shard)
        try:
            documents = shard_set.documents_of(record)
        except PreprocessingError as error:
            raise PretrainingError(str(error)) from error
        names = pc.take(documents["source"], examples.shards.column(shard, "document_a").take(rows))
        found.append(names.to_numpy(zero_copy_only=False).astype(str))
    return np.concatenate(found) if found else np.empty(0, str)


def _figures(sums: list[float]) -> Figures:
    mlm_loss, nsp_loss, mlm_correct, nsp_correct, masked_tokens, sequences = sums
    return Figures(
        loss=mlm_loss / max(masked_tokens, 1) + nsp_loss / max(sequences, 1),
        mlm_loss=mlm_loss / max(masked_tokens, 1),
        mlm_accuracy=mlm_correct / max(masked_tokens, 1),
        nsp_loss=nsp_loss / max(sequences, 1),
        nsp_accuracy=nsp_correct / max(sequences, 1),
        masked_tokens=int(masked_tokens),
        sequences=int(sequences),
    )
