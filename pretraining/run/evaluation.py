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
from pretraining.data.shape_ladder import common_shape
from pretraining.errors import PretrainingError
from pretraining.model.packing import PackedShape


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

    def __init__(self, examples: Examples, limit: int, micro_batch_size: int, *, fixed_shapes: bool = False) -> None:
        self.examples = examples
        self.fixed_shapes = fixed_shapes
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
        # Sums stay on the device until the end: nothing waits for a batch.
        totals = torch.zeros(len(self.by_source), 6, dtype=torch.float64, device=engine.device)
        shape = self._common_shape() if self.fixed_shapes else None
        for row, group in enumerate(self.by_source.values()):
            for micro_batch, counts in self._micro_batches(group):
                packed = self.examples.pack(micro_batch)
                packed = packed if shape is None else packed.filled(shape)
                sums = engine(packed.sent_to(engine.device))
                if counts:
                    totals[row] += torch.stack([value.double() for value in sums])
                if not may_go_on():
                    engine.train()
                    return None
        engine.train()
        dist.all_reduce(totals)
        totals = totals.cpu()
        figures = {name: _figures(row) for name, row in zip(self.by_source, totals.tolist(), strict=True)}
        return {"all": _figures(totals.sum(0).tolist()), **figures}

    def _micro_batches(self, group: np.ndarray) -> list[tuple[np.ndarray, bool]]:
        """This rank's micro-batches of a group, as many on every rank (ZeRO-3 gathers weights in step).

        The flag is False for a stand-in that must not count.
        """
        return self._parts(group)[dist.get_rank() :: dist.get_world_size()]

    def _parts(self, group: np.ndarray) -> list[tuple[np.ndarray, bool]]:
        """Those of all ranks: examples of one length together, or equally mixed where shapes are fixed."""
        ranks = dist.get_world_size()
        lengths, _ = self.examples.measure(group)
        ordered = group[np.argsort(-lengths, kind="stable")]
        number = ranks * -(-len(group) // (self.micro_batch_size * ranks))
        mixed = [ordered[place::number] for place in range(number)]
        parts = mixed if self.fixed_shapes else np.array_split(ordered, number)
        return [(part, True) if len(part) else (ordered[-1:], False) for part in parts]

    def _common_shape(self) -> PackedShape:
        """The one shape that all micro-batches of all ranks are filled up to."""
        parts = [part for group in self.by_source.values() for part, _ in self._parts(group)]
        sizes = [tuple(int(counts.sum()) for counts in self.examples.measure(part)) for part in parts]
        tokens, masked = np.array(sizes, np.int64).T
        return common_shape(tokens, masked, np.array([len(part) for part in parts]), self.examples.sequence_length)


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
