"""One rank of `test_loop_gradients.py`: the full gradient of one global batch for several ways to cut it.

Arguments: a folder with ``shards`` and ``start``, then ZeRO stage and micro-batches per rank as 2-3 or 2-3-overlap.
Rank 0 writes each gradient as FOLDER/ranks-CASE.safetensors.
"""

import sys
from pathlib import Path
from typing import Any

import torch
from deepspeed.utils import safe_get_full_grad
from safetensors.torch import save_file

from pretraining.configuration.tables import Recipe
from pretraining.data.examples import Examples, open_shard_sets
from pretraining.data.loader import Loader
from pretraining.data.sampler import Position, Sampler
from pretraining.model.huggingface import import_bert
from pretraining.run.engine import start_engine, start_processes
from pretraining.run.loop import train_step
from pretraining.run.ranks import read_environment

BATCH = 48


def main() -> None:
    folder, environment = Path(sys.argv[1]), read_environment()
    device = start_processes(environment)
    examples = Examples(open_shard_sets([folder / "shards"], 32, None), "train", 32)
    sampler = Sampler.weighted(tuple(examples.set_sizes), (), 1)
    for case in sys.argv[2:]:
        stage, micro_batches = map(int, case.split("-")[:2])
        # As on GPUs: reduced beside the backward pass, in buckets that do not hold the whole model.
        overlap = {"overlap_comm": True, "reduce_bucket_size": 5000} if case.endswith("overlap") else {}
        ranks = environment.world_size
        recipe = Recipe.model_validate(
            {
                "training": {
                    "steps": 1,
                    "batch_size": BATCH,
                    "micro_batch_size": BATCH // ranks // micro_batches,
                    "precision": "fp32",
                },
                "deepspeed": {"zero_optimization": {"stage": stage, **overlap}},
            }
        )
        model = import_bert(folder / "start")
        engine = start_engine(recipe, model, ranks, micro_batches, on_cpu=device.type == "cpu")
        loader = Loader(examples, sampler, BATCH, micro_batches, environment.rank, ranks, 32, dropout_seed=7)
        gradients: dict[str, torch.Tensor] = {}
        update = engine.step

        def step(*, engine: Any = engine, gradients: dict[str, torch.Tensor] = gradients, update: Any = update) -> None:
            if engine.is_gradient_accumulation_boundary():
                for name, parameter in engine.module.named_parameters():
                    full = safe_get_full_grad(parameter) if engine.zero_optimization_stage() else parameter.grad
                    gradients[name] = full.detach().float().clone().contiguous()
            update()

        engine.step = step
        train_step(engine, loader.batch_at(Position()), ranks)
        if environment.rank == 0:
            save_file(gradients, folder / f"{ranks}-{case}.safetensors")
        torch.distributed.barrier()


main()
