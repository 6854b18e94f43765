"""One rank of `test_communication.py`: bytes that DeepSpeed hands to collectives in one step, by stage.

Argument: a file that rank 0 writes, stage → micro-batches → collective → bytes of the whole tensor.
"""

import collections
import json
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist

from pretraining.configuration.tables import Recipe
from pretraining.model.bert import BertForPreTraining
from pretraining.model.config import BertConfig
from pretraining.model.packing import PackedBatch
from pretraining.run.engine import start_engine, start_processes
from pretraining.run.ranks import read_environment

COLLECTIVES = ("all_reduce", "reduce", "broadcast", "all_gather_into_tensor", "reduce_scatter_tensor", "all_gather")


def counting(name: str, count: collections.Counter[str]) -> Callable[..., Any]:
    """The collective, which adds up the largest tensor that it is given."""
    function = getattr(dist, name)

    def call(*arguments: Any, **named: Any) -> Any:
        sizes = [0]
        for value in (*arguments, *named.values()):
            parts = value if isinstance(value, list | tuple) else [value]
            sizes.append(sum(part.nbytes for part in parts if isinstance(part, torch.Tensor)))
        count[name] += max(sizes)
        return function(*arguments, **named)

    return call


def main() -> None:
    count: collections.Counter[str] = collections.Counter()
    for name in COLLECTIVES:  # before DeepSpeed takes them
        setattr(dist, name, counting(name, count))
    environment = read_environment()
    start_processes(environment)
    batch = PackedBatch.from_sequences([list(range(5, 25))] * 2, [10, 10], is_random_next=[0, 1])
    batch = replace(batch, masked_indices_m=torch.arange(4), masked_labels_m=torch.arange(4))
    found: dict[int, dict[int, dict[str, int]]] = {}
    for stage in range(4):
        found[stage] = {}
        for micro_batches in (1, 3):
            zero = {"stage": stage} | ({"stage3_param_persistence_threshold": 0} if stage == 3 else {})
            recipe = Recipe.model_validate(
                {
                    "training": {
                        "steps": 9,
                        "batch_size": micro_batches * environment.world_size,
                        "micro_batch_size": 1,
                        "precision": "bf16",
                    },
                    "deepspeed": {"zero_optimization": zero},
                }
            )
            model = BertForPreTraining(BertConfig.named("tiny", vocab_size=1000))
            engine = start_engine(recipe, model, environment.world_size, micro_batches, on_cpu=True)
            for _ in range(2):  # the second step is as all that follow
                count.clear()
                for _ in range(micro_batches):
                    sums = engine(batch)
                    engine.backward(sums.mlm_loss_sum + sums.nsp_loss_sum, scale_wrt_gas=False)
                    engine.step()
            found[stage][micro_batches] = dict(count)
            engine.destroy()
    if environment.rank == 0:
        Path(sys.argv[1]).write_text(json.dumps(found))
    dist.destroy_process_group()


if __name__ == "__main__":
    main()
