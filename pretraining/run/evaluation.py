"""Held-out figures: masked-token loss and accuracy, next-sentence accuracy, in all and by source."""

import math
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow.compute as pc
import torch
import torch.distributed as dist

from preprocessing.errors import PreprocessingError
from preprocessing.progress import SILENT, Progress
from pretraining.data.examples import Examples
from pretraining.data.sampler import permute
from pretraining.data.shape_ladder import common_shape
from pretraining.errors import PretrainingError
from pretraining.model.loss import PreTrainingSums
from pretraining.model.packing import PackedShape


@dataclass(frozen=True)
class Figures:
    """Means over held-out examples; losses in nats.

    The errors are standard errors of these means, None where there are too few micro-batches to tell: how far another
    sample of held-out examples would be off, for this model. See `_figures`.
    """

    loss: float
    mlm_loss: float
    mlm_accuracy: float
    nsp_loss: float
    nsp_accuracy: float
    masked_tokens: int
    sequences: int
    loss_error: float | None = None
    mlm_loss_error: float | None = None
    mlm_accuracy_error: float | None = None
    nsp_loss_error: float | None = None
    nsp_accuracy_error: float | None = None


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

    @property
    def micro_batches(self) -> int:
        """How many micro-batches an evaluation has on each rank."""
        return sum(len(self._micro_batches(group)) for group in self.by_source.values())

    def evaluate(self, engine: Any, progress: Progress = SILENT) -> dict[str, Figures]:
        """Figures under "all" and under each source's name; collective, equal on every rank."""
        with progress.count("evaluate", self.micro_batches, "micro-batches") as count:

            def go_on() -> bool:
                count.advance()
                return True

            figures = self.evaluate_while(engine, go_on)
        assert figures is not None  # nobody broke it off
        return figures

    @torch.no_grad()
    def evaluate_while(self, engine: Any, may_go_on: Callable[[], bool]) -> dict[str, Figures] | None:
        """As `evaluate`; None when it was broken off.

        `may_go_on` is asked after every micro-batch and must answer alike on all ranks.
        """
        engine.eval()
        # Sums stay on the device until the end: nothing waits for a batch.
        groups, width = len(self.by_source), len(PreTrainingSums._fields)
        totals = torch.zeros(groups, width, dtype=torch.float64, device=engine.device)
        # Products of the sums and of their second differences, and how many micro-batches and differences there are.
        spread = torch.zeros(groups, 2, width, width, dtype=torch.float64, device=engine.device)
        numbers = torch.zeros(groups, 2, dtype=torch.float64, device=engine.device)
        shape = self._common_shape() if self.fixed_shapes else None
        for row, group in enumerate(self.by_source.values()):
            neighbours = deque[torch.Tensor](maxlen=3)
            for micro_batch, counts in self._micro_batches(group):
                packed = self.examples.pack(micro_batch)
                packed = packed if shape is None else packed.filled(shape)
                sums = engine(packed.sent_to(engine.device))
                if counts:
                    of_batch = torch.stack([value.double() for value in sums])
                    totals[row] += of_batch
                    numbers[row, 0] += 1
                    spread[row, 0] += torch.outer(of_batch, of_batch)
                    neighbours.append(of_batch)
                    if len(neighbours) == 3:
                        difference = neighbours[0] - 2 * neighbours[1] + neighbours[2]
                        spread[row, 1] += torch.outer(difference, difference)
                        numbers[row, 1] += 1
                if not may_go_on():
                    engine.train()
                    return None
        engine.train()
        together = torch.cat([totals, spread.flatten(1), numbers], 1)
        dist.all_reduce(together)
        rows = together.cpu()
        figures = {name: _figures(row) for name, row in zip(self.by_source, rows, strict=True)}
        return {"all": _figures(rows.sum(0)), **figures}

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


def _figures(row: torch.Tensor) -> Figures:
    """Figures from the sums, the two tables of products and the two numbers of `evaluate_while`, end to end.

    A mean is a ratio of two sums, R = x / d; to first order its error is that of a sum over examples of
    (x_i − R d_i) / d (Cochran 1977, Sampling Techniques, section 6.3). Known are the sums of micro-batches of k
    examples, which stand in order of length, and the loss depends on it. So the variance within a length is estimated
    from second differences of neighbours, whose mean square is six times that and which a trend leaves alone (Wolter
    2007, Introduction to Variance Estimation, section 8.2), and what the micro-batches vary beyond it, for k
    examples at once, is divided by k. Where shapes are fixed all micro-batches have the same mixture of lengths, and
    what lengths add is left out. Examples of one document, and copies of it, are taken for independent.
    """
    width = len(PreTrainingSums._fields)
    sums, spread, (batches, differences) = row[:width], row[width:-2].view(2, width, width), row[-2:].tolist()
    mlm_loss, nsp_loss, mlm_correct, nsp_correct, masked_tokens, sequences = sums.tolist()

    def error(*ratios: tuple[int, int]) -> float | None:
        """Of a sum of ratios, each the number of its numerator and its denominator among the sums."""
        if not differences:
            return None
        weights = torch.zeros(width, dtype=row.dtype)
        for numerator, denominator in ratios:
            count = max(sums[denominator].item(), 1)
            weights[numerator] += 1 / count
            weights[denominator] -= sums[numerator].item() / count**2
        whole, rough = (max((weights @ table @ weights).item(), 0.0) for table in spread)
        within = rough * batches / (6 * differences)
        return math.sqrt(within + max(whole - within, 0.0) * batches / max(sequences, 1))

    return Figures(
        loss=mlm_loss / max(masked_tokens, 1) + nsp_loss / max(sequences, 1),
        mlm_loss=mlm_loss / max(masked_tokens, 1),
        mlm_accuracy=mlm_correct / max(masked_tokens, 1),
        nsp_loss=nsp_loss / max(sequences, 1),
        nsp_accuracy=nsp_correct / max(sequences, 1),
        masked_tokens=int(masked_tokens),
        sequences=int(sequences),
        loss_error=error((0, 4), (1, 5)),
        mlm_loss_error=error((0, 4)),
        mlm_accuracy_error=error((2, 4)),
        nsp_loss_error=error((1, 5)),
        nsp_accuracy_error=error((3, 5)),
    )
