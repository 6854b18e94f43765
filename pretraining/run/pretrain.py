"""One pretraining run from its recipe to its report: puts the parts together."""

import os
import sys
from collections.abc import Callable
from contextlib import nullcontext, suppress
from dataclasses import asdict, replace
from typing import Any

import torch
import torch.distributed as dist

from preprocessing.folder_lock import FolderLock
from preprocessing.shards import ShardSet
from pretraining.configuration.deepspeed import deepspeed_configuration
from pretraining.configuration.tables import Recipe
from pretraining.data.batching import micro_batches_per_rank
from pretraining.data.examples import open_shard_sets
from pretraining.data.shard_check import check_sample, check_sizes
from pretraining.devices.abilities import abilities_of
from pretraining.devices.freed_memory import keep_freed_memory
from pretraining.errors import JoinError, PretrainingError
from pretraining.model.fp8_linear import require_fp8
from pretraining.optimization.schedules import build_schedule
from pretraining.planning.micro_batch import Choice
from pretraining.rendezvous import facts_of
from pretraining.run.checkpoint.files import checkpoint_folder, checkpoint_steps, refuse_used
from pretraining.run.device.settings import settle
from pretraining.run.engine import start_processes
from pretraining.run.health.monitor import Monitor, Verdict
from pretraining.run.health.stop import INTERRUPTED, StopRequest, wish_named
from pretraining.run.initial_weights import initial_model
from pretraining.run.joined_run import JoinedRun
from pretraining.run.micro_batch import settled as micro_batch_settled
from pretraining.run.ranks import RankEnvironment, device_of, slurm_start, threads_of_rank
from pretraining.run.state_file import StateFile, read_state


def run(recipe: Recipe, environment: RankEnvironment, stop: StopRequest) -> int:
    """Trains as the recipe says; returns the exit code. Every rank calls it.

    PretrainingError for what ends the run, the same one on all ranks; ``state.json`` says it as well.
    """
    ranks, training = environment.world_size, recipe.training
    micro_batches = micro_batches_per_rank(training.batch_size, training.least_micro_batch_size, ranks)
    own_device = device_of(environment)
    settled = settle(recipe, abilities_of(own_device), ranks)
    recipe = settled.recipe
    if not recipe.checkpoint.resume:
        refuse_used(checkpoint_folder(recipe.run_folder))
    # Said before the ranks are joined, though the engine asks again.
    deepspeed_configuration(recipe, ranks, micro_batches, on_cpu=own_device.type == "cpu")
    if recipe.training.linear_layers == "fp8":
        require_fp8(own_device)
    schedule = build_schedule(recipe.schedule, recipe.optimizer.learning_rate, recipe.training.steps)
    sets = open_shard_sets(recipe.data.shards, recipe.data.sequence_length, recipe.model.vocab_size)
    prepare_torch(recipe, environment)
    model = initial_model(recipe, sets)
    status = StateFile(recipe.run_folder, recipe.training.steps, slurm_start())
    lock = FolderLock(recipe.run_folder, "run.lock", "choose another output.folder", error=PretrainingError)
    health = recipe.health
    try:
        device = start_processes(
            environment,
            _facts(recipe, sets),
            health.join_seconds,
            lambda: wish_named(stop.wish) if stop.wish else None,
        )
    except JoinError as not_joined:
        if environment.rank == 0:
            _note_interrupted(status, str(not_joined))
        raise
    monitor = Monitor(environment, health.watchdog_seconds, health.lost_after_seconds, _concluder(status))
    try:
        with monitor, lock if environment.rank == 0 else nullcontext():
            if environment.rank == 0:
                _refuse_lost_checkpoints(recipe)
            dist.barrier()  # the folder is this run's
            check_sizes(sets, recipe.data.sequence_length, environment.local_rank, environment.local_world_size)
            check_sample(sets, "train", recipe.data.sequence_length, environment.rank, environment.world_size)
            recipe, choice = micro_batch_settled(recipe, model.config, device, environment.local_world_size)
            micro_batches = micro_batches_per_rank(training.batch_size, recipe.training.least_micro_batch_size, ranks)
            run = JoinedRun(
                *(replace(settled, recipe=recipe), environment, stop, monitor, status, sets, model, device),
                *(micro_batches, schedule),
                events=_events(choice),
            )
            return run.train()
    except BaseException as failure:
        error = monitor.judge(failure)
        if error is None:
            raise
        raise error from failure


def _events(choice: Choice | None) -> tuple[dict[str, Any], ...]:
    """What `auto` came to, for metrics.jsonl, and said on rank 0."""
    if choice is None:
        return ()
    if dist.get_rank() == 0:
        print(f"training.micro_batch_size: auto is {choice.size} ({choice.reason})", file=sys.stderr, flush=True)
    return ({"event": "micro-batch settled", **asdict(choice)},)


def _facts(recipe: Recipe, sets: list[ShardSet]) -> dict[str, str]:
    """What all ranks must have alike. Shards may lie elsewhere on each machine, but must be the same."""
    excluded = {"data": {"shards"}, "training": {"threads"}, "health": {"join_seconds"}}
    settings = recipe.model_dump(mode="json", by_alias=True, exclude=excluded)
    settings["fingerprint of data.shards"] = [shard_set.fingerprint for shard_set in sets]
    return facts_of(recipe.output.folder, settings, ("preprocessing", "pretraining"), os.environ)


def _note_interrupted(status: StateFile, reason: str) -> None:
    """What scripts decide by, where the ranks did not meet; nothing where another run holds the folder."""
    lock = FolderLock(status.folder, "run.lock", "", error=PretrainingError, wait=0.0)
    with suppress(PretrainingError), lock:
        status.go_on_from(read_state(status.folder))
        status.write("interrupted", reason, reason.split()[0] if reason.startswith("SIG") else None)


def _concluder(status: StateFile) -> Callable[[Verdict], None]:
    def conclude(verdict: Verdict) -> None:
        if status.is_ours:
            status.write("interrupted" if verdict.code == INTERRUPTED else "failed", verdict.reason)

    return conclude


def _refuse_lost_checkpoints(recipe: Recipe) -> None:
    """PretrainingError when the run has saved checkpoints and none is there any more."""
    saved = read_state(recipe.run_folder).get("saved_step")
    if saved is not None and not checkpoint_steps(checkpoint_folder(recipe.run_folder)):
        raise PretrainingError(
            f"{recipe.run_folder} has saved step {saved} and its checkpoints are gone; restore them, choose another "
            "output.folder, or remove state.json to start again at step 0"
        )


def prepare_torch(recipe: Recipe, environment: RankEnvironment) -> None:
    """Memory, threads, seeds and kernels, before anything is computed."""
    if not torch.cuda.is_available():
        keep_freed_memory()
    cores = len(os.sched_getaffinity(0))
    torch.set_num_threads(threads_of_rank(recipe.training.threads, cores, environment.local_world_size))
    torch.manual_seed(recipe.training.seed)  # the same weights on every rank
    torch.backends.cuda.matmul.allow_tf32 = recipe.training.precision != "fp32"
    if recipe.training.deterministic:
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
        torch.use_deterministic_algorithms(True)
        # Nothing reads what it has not written, and DeepSpeed's buckets would be filled at every step.
        torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]
