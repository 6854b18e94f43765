"""The peer in a plain loop: the same model, data and optimiser without what the `Trainer` does around them."""

from collections.abc import Iterator
from itertools import islice
from typing import Any

import torch
from torch import Tensor
from torch.utils.data import DataLoader

from benchmarks.transformers_pretraining.journal import Journal
from benchmarks.transformers_pretraining.records import Collator, Records, WholeBatches
from benchmarks.transformers_pretraining.settings import Settings


def train(
    settings: Settings,
    model: Any,
    optimizer: torch.optim.Optimizer,
    records: Records,
    sampler: WholeBatches,
    collator: Collator,
    journal: Journal,
) -> None:
    """Trains until the journal says that the budget is used up."""
    training = settings.recipe.training
    torch.manual_seed(training.seed)  # of dropout
    loader = DataLoader(records, settings.micro_batch_size, sampler=sampler, collate_fn=collator)
    with journal.running():
        batches = _passes(loader)
        while not journal.is_over:
            rate = journal.rate(journal.steps)
            for group in optimizer.param_groups:
                group["lr"] = rate
            optimizer.zero_grad()
            for batch in islice(batches, settings.micro_batches):
                with torch.autocast("cpu", torch.bfloat16, enabled=training.precision == "bf16"):
                    loss = model(**batch).loss / settings.micro_batches
                loss.backward()
                journal.saw(batch, float(loss.detach()))
            if training.clip_norm:
                torch.nn.utils.clip_grad_norm_(model.parameters(), training.clip_norm)
            optimizer.step()
            journal.after_step(rate)


def _passes(loader: DataLoader[Any]) -> Iterator[dict[str, Tensor]]:
    """Pass after pass over the examples."""
    while True:
        yield from loader
