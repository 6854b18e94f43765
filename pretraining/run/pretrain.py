"""One pretraining run from its recipe to its report: puts the parts together."""

import os
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist

from preprocessing.shards import ShardSet
from preprocessing.tokens.tokenizer import Tokenizer
from pretraining.configuration.deepspeed import deepspeed_configuration
from pretraining.configuration.tables import Recipe
from pretraining.data.batching import micro_batches_per_rank
from pretraining.data.dynamic_masking import MaskingVocabulary
from pretraining.data.examples import Examples, open_shard_sets
from pretraining.data.loader import Loader, prefetch
from pretraining.data.sampler import Sampler
from pretraining.data.shard_check import check_sample
from pretraining.optimization.schedules import build_schedule
from pretraining.planning.flops import datasheet_tflops
from pretraining.planning.measured_peak import measure_matmul_tflops
from pretraining.run import checkpoint
from pretraining.run.engine import full_weights, start_engine, start_processes
from pretraining.run.evaluation import HeldOut
from pretraining.run.export_folder import export_run
from pretraining.run.initial_weights import initial_model
from pretraining.run.loop import train
from pretraining.run.random_state import seed_rank
from pretraining.run.ranks import RankEnvironment, threads_of_rank
from pretraining.run.stop import StopRequest
from pretraining.run.trainer_state import TrainerState
from pretraining.run.watcher import RunWatcher

INTERRUPTED = 75  # exit code of a run that saved its state and wants to be started again (EX_TEMPFAIL)


def run(recipe: Recipe, environment: RankEnvironment, stop: StopRequest) -> int:
    """Trains as the recipe says; returns the exit code. Every rank calls it."""
    micro_batches = micro_batches_per_rank(
        recipe.training.batch_size, recipe.training.micro_batch_size, environment.world_size
    )
    if not recipe.checkpoint.resume:
        checkpoint.refuse_used(_checkpoints(recipe))
    # Said before the ranks are joined, though the engine asks again.
    deepspeed_configuration(recipe, environment.world_size, micro_batches, on_cpu=not torch.cuda.is_available())
    schedule = build_schedule(recipe.schedule, recipe.optimizer.learning_rate, recipe.training.steps)
    sets = open_shard_sets(recipe.data.shards, recipe.data.sequence_length, recipe.model.vocab_size)
    check_sample(sets, "train", recipe.data.sequence_length, environment.rank, environment.world_size)
    prepare_torch(recipe, environment)
    model = initial_model(recipe, sets)
    device = start_processes(environment)
    examples = Examples(sets, "train", recipe.data.sequence_length)
    sampler = Sampler.weighted(tuple(examples.set_sizes), recipe.data.weights, recipe.data.seed)
    held_out = HeldOut(
        Examples(sets, "heldout", recipe.data.sequence_length),
        recipe.evaluation.examples,
        recipe.training.micro_batch_size,
    )
    if recipe.model.compile:
        model.compile(dynamic=True)  # the number of tokens changes with every micro-batch
    engine = start_engine(recipe, model, environment.world_size, micro_batches, on_cpu=device.type == "cpu")
    identity = checkpoint.Identity(
        model=model.config.model_dump(),
        data=",".join(shard_set.fingerprint for shard_set in sets),
        population=f"{recipe.data.sequence_length} tokens, {sampler}",
        optimizer=recipe.optimizer.model_dump(exclude={"learning_rate"}),
        precision=recipe.training.precision,
        stage=recipe.stage,
        ranks=environment.world_size,
    )
    state = _resume(engine, identity, recipe)
    loader = Loader(
        examples=examples,
        sampler=sampler,
        batch_size=recipe.training.batch_size,
        micro_batches=micro_batches,
        rank=environment.rank,
        ranks=environment.world_size,
        hidden_size=model.config.hidden_size,
        vocabulary=_masking_vocabulary(recipe, sets[0]),
        device=device if device.type == "cuda" else None,
    )
    watcher = RunWatcher(recipe, engine, model, held_out, identity, stop, _peak_flops(recipe, device), state)
    with watcher:
        watcher.start(state)
        if not watcher.is_at_stop(state):
            batches = prefetch(loader, state.position, recipe.training.steps - state.step, recipe.data.prefetch)
            state = train(engine, batches, schedule, state, environment.world_size, watcher)
            batches.close()
        finished = schedule.is_over(state.step, state.agreed_seconds)
        watcher.finish(state, finished)
        if finished and recipe.output.export:
            export_run(full_weights(engine), model, sets[0].tokenizer_path, recipe.run_folder)
        status = watcher.conclude(state, finished)
    return INTERRUPTED if status == "interrupted" else 0


def prepare_torch(recipe: Recipe, environment: RankEnvironment) -> None:
    """Threads, seeds and kernels, before anything is computed."""
    cores = len(os.sched_getaffinity(0))
    torch.set_num_threads(threads_of_rank(recipe.training.threads, cores, environment.local_world_size))
    torch.manual_seed(recipe.training.seed)  # the same weights on every rank
    torch.backends.cuda.matmul.allow_tf32 = recipe.training.precision != "fp32"
    if recipe.training.deterministic:
        os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")
        torch.use_deterministic_algorithms(True)


def _checkpoints(recipe: Recipe) -> Path:
    return recipe.run_folder / "checkpoints"


def _resume(engine: Any, identity: checkpoint.Identity, recipe: Recipe) -> TrainerState:
    """The state of the newest complete checkpoint, loaded; a fresh one where there are no checkpoints."""
    newest = checkpoint.newest_complete(_checkpoints(recipe))
    if newest is not None:
        return checkpoint.load(engine, newest, identity, recipe.training.seed)
    seed_rank(recipe.training.seed, dist.get_rank())
    return TrainerState()


def _masking_vocabulary(recipe: Recipe, shard_set: ShardSet) -> MaskingVocabulary | None:
    if recipe.data.masking == "static":
        return None
    tokenizer = Tokenizer.load(shard_set.tokenizer_path)
    return MaskingVocabulary(
        mask_id=tokenizer.mask_id,
        ordinary_ids=tokenizer.ordinary_ids,
        is_continuation=tokenizer.is_continuation,
        whole_words=bool(_setting(shard_set.manifest.configuration, "whole_word_masking")),
    )


def _setting(configuration: dict[str, Any], name: str) -> Any:
    """A setting of the build, in whichever table it stands; None when there is none."""
    if name in configuration:
        return configuration[name]
    tables = (value for value in configuration.values() if isinstance(value, dict))
    return next((found for table in tables if (found := _setting(table, name)) is not None), None)


def _peak_flops(recipe: Recipe, device: torch.device) -> float | None:
    """FLOP/s of all devices together at most: as the recipe says, by datasheet, or measured on the CPU."""
    if recipe.output.peak_tflops is not None:
        return recipe.output.peak_tflops * 1e12 * dist.get_world_size()
    if device.type == "cuda":
        tflops = datasheet_tflops(torch.cuda.get_device_name(device), recipe.training.precision)
        return None if tflops is None else tflops * 1e12 * dist.get_world_size()
    dtype = torch.float32 if recipe.training.precision == "fp32" else torch.bfloat16
    dist.barrier()  # measured by all ranks at once, as they will compute
    measured = torch.tensor(measure_matmul_tflops(dtype), dtype=torch.float64)
    dist.all_reduce(measured)
    return float(measured) * 1e12
