"""One rank of the tests that train: does the actions of a plan in one process group, for start-up costs seconds.

``plan.json`` is a list of ``{"run": {key: value}}`` (a recipe's overrides) and ``{"truncate": file}``; rank 0 writes
the exit code or the message of every action to ``results.json`` beside it, and the memory that a rank takes before
the first of them to ``memory_before.txt``.
"""

import json
import sys
from pathlib import Path

import torch.distributed as dist

from pretraining.configuration.recipe import load_recipe
from pretraining.errors import PretrainingError
from pretraining.run.engine import start_processes
from pretraining.run.health.stop import StopRequest
from pretraining.run.metrics import memory_bytes
from pretraining.run.pretrain import run
from pretraining.run.ranks import read_environment


def main() -> None:
    plan, environment = Path(sys.argv[1]), read_environment()
    start_processes(environment)
    if environment.rank == 0:
        plan.with_name("memory_before.txt").write_text(str(memory_bytes()))
    results: list[int | str] = []
    for action in json.loads(plan.read_text()):
        dist.barrier()
        if "truncate" in action:
            if environment.rank == 0:
                path = Path(action["truncate"])
                path.write_bytes(path.read_bytes()[:-1])
            results.append(0)
            continue
        overrides = [(key, str(value)) for key, value in action["run"].items()]
        try:
            results.append(run(load_recipe(plan.with_name("recipe.toml"), overrides), environment, StopRequest()))
        except PretrainingError as error:
            results.append(str(error))
    if environment.rank == 0:
        plan.with_name("results.json").write_text(json.dumps(results))


main()
