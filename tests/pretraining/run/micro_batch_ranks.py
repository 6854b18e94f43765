"""One rank of `test_micro_batch.py`: what `auto` comes to where the ranks' machines have unlike memory.

Argument: a folder; each rank writes its number and the reason as FOLDER/RANK.json.
"""

import json
import sys
from pathlib import Path

import torch.distributed as dist

import pretraining.run.micro_batch as micro_batch
from pretraining.configuration.tables import Recipe
from pretraining.errors import PretrainingError
from pretraining.run.engine import start_processes
from pretraining.run.ranks import read_environment

LARGE = {"model": {"size": "large"}, "data": {"sequence_length": 32}}
TRAINING = {"steps": 9, "batch_size": 256, "micro_batch_size": "auto", "precision": "fp32"}


def main() -> None:
    environment = read_environment()
    device = start_processes(environment)
    recipe = Recipe.model_validate({**LARGE, "training": TRAINING})
    found: list[object] = []
    for memories in ((64, 64), (64, 24), (64, 8)):
        micro_batch.node_memory = lambda memory=memories[environment.rank]: memory * 2**30
        try:
            settled, choice = micro_batch.settled(recipe, recipe.model.build(30_522), device, 1)
            found.append([settled.training.micro_batch_size, choice.reason if choice else None])
        except PretrainingError as error:
            found.append(str(error))
    (Path(sys.argv[1]) / f"{environment.rank}.json").write_text(json.dumps(found))
    dist.destroy_process_group()


main()
