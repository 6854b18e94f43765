"""One pretraining run from its recipe to its report: puts the parts together."""

import os
from collections.abc import Callable
from contextlib import nullcontext, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist

from preprocessing.folder_lock import FolderLock
from preprocessing.shards import ShardSet
from pretraining.configuration.deepspeed import deepspeed_configuration
from pretraining.configuration.tables import Recipe
from pretraining.data.batching import micro_batches_per_rank
from pretraining.data.dynamic_masking import vocabulary_of
from pretraining.data.examples import Examples, open_shard_sets
from pretraining.data.loader import Loader, prefetch
from pretraining.data.sampler import Sampler
from pretraining.data.shard_check import check_sample, check_sizes
from pretraining.errors import JoinError, PretrainingError
from pretraining.model.bert import BertForPreTraining
from pretraining.optimization.schedules import Schedule, build_schedule
from pretraining.planning.flops import datasheet_tflops
from pretraining.planning.measured_peak import measure_matmul_tflops
from pretraining.planning.memory import parameter_count
from pretraining.rendezvous import facts_of
from pretraining.run.checkpoint.files import checkpoint_steps, refuse_used
from pretraining.run.checkpoint.identity import identity_of
from pretraining.run.checkpoint.resume import load, newest_complete, take_over
from pretraining.run.engine import full_weights, start_engine, start_processes
from pretraining.run.evaluation import HeldOut
from pretraining.run.export_folder import export_run
from pretraining.run.health.bad_steps import Rewind
from pretraining.run.health.monitor import Monitor, Verdict
from pretraining.run.health.rewind import go_back, write_passed_over
from pretraining.run.health.stop import INTERRUPTED, StopRequest, wish_named
from pretraining.run.health.time_limit import TimeLimit, job_end
from pretraining.run.initial_weights import initial_model
from pretraining.run.loop import train
from pretraining.run.ranks import RankEnvironment, slurm_start, threads_of_rank
from pretraining.run.state_file import StateFile, read_state
from pretraining.run.trainer_state import TrainerState
from pretraining.run.watcher import RunWatcher

_SLOW_DISK = 50e6  # bytes a second that a disk writes at least: until a save was timed


def run(recipe: Recipe, environment: RankEnvironment, stop: StopRequest) -> int:
    """Trains as the recipe says; returns the exit code. Every rank calls it.

    PretrainingError for what ends the run, the same one on all ranks; ``state.json`` says it as well.
    """
    micro_batches = micro_batches_per_rank(
        recipe.training.batch_size, recipe.training.micro_batch_size, environment.world_size
    )
    if not recipe.checkpoint.resume:
        refuse_used(_checkpoints(recipe))
    # Said before the ranks are joined, though the engine asks again.
    deepspeed_configuration(recipe, environment.world_size, micro_batches, on_cpu=not torch.cuda.is_available())
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
            run = _Run(recipe, environment, stop, monitor, status, sets, model, device, micro_batches, schedule)
            return run.train()
    except BaseException as failure:
        error = monitor.judge(failure)
        if error is None:
            raise
        raise error from failure


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


@dataclass
class _Run:
    """The joined ranks of one run, and its parts in the order in which they are made."""

    recipe: Recipe
    environment: RankEnvironment
    stop: StopRequest
    monitor: Monitor
    status: StateFile
    sets: list[ShardSet]
    model: BertForPreTraining
    device: torch.device
    micro_batches: int
    schedule: Schedule

    def __post_init__(self) -> None:
        recipe, sets, ranks = self.recipe, self.sets, self.environment.world_size
        self.examples = Examples(sets, "train", recipe.data.sequence_length)
        self.sampler = Sampler.weighted(tuple(self.examples.set_sizes), recipe.data.weights, recipe.data.seed)
        self.held_out = HeldOut(
            Examples(sets, "heldout", recipe.data.sequence_length),
            recipe.evaluation.examples,
            recipe.training.micro_batch_size,
        )
        if recipe.model.compile:
            self.model.compile(dynamic=True)  # the number of tokens changes with every micro-batch
        self.engine = start_engine(recipe, self.model, ranks, self.micro_batches, on_cpu=self.device.type == "cpu")
        self.identity = identity_of(
            recipe,
            self.model.config,
            ",".join(shard_set.fingerprint for shard_set in sets),
            f"{recipe.data.sequence_length} tokens, {self.sampler}",
            ranks,
            torch.get_num_threads(),
        )

    def train(self) -> int:
        """From the newest checkpoint to the end, or to the next stop; returns the exit code."""
        recipe = self.recipe
        state, changes = self._resume()
        watcher = self._watcher(state)
        with watcher:
            if changes:
                watcher.note(state, {"event": "resumed with other settings", "settings": changes})
            watcher.start(state)
            if not watcher.is_at_stop(state) and not watcher.stopped_by:
                state = self._train_on(state, watcher)
            finished = watcher.finish(state, self.schedule.is_over(state.step, state.agreed_seconds))
            if finished and recipe.output.export:
                self.monitor.progress("the export", may_take_long=True)
                export_run(full_weights(self.engine), self.model, Path(self.sets[0].tokenizer_path), recipe.run_folder)
            status = watcher.conclude(finished, state)
        return INTERRUPTED if status == "interrupted" else 0

    def _train_on(self, state: TrainerState, watcher: RunWatcher) -> TrainerState:
        """The training loop, begun again after every rewind."""
        recipe, rewinds = self.recipe, list[int]()
        while True:
            loader = self._loader(state)
            batches = prefetch(loader, state.position, recipe.training.steps - state.step, recipe.data.prefetch)
            try:
                return train(self.engine, batches, self.schedule, state, loader.ranks, recipe.training.seed, watcher)
            except Rewind as wish:
                self.monitor.progress("going back", may_take_long=True)
                state = go_back(
                    self.engine, wish, _checkpoints(recipe), self.identity, state, rewinds, recipe.health.rewinds
                )
                rewinds.append(state.step)
                write_passed_over(recipe.run_folder, wish, self.sampler, self.examples)
                watcher.go_back(state, {"event": "rewind", "why": wish.why, "passed_over": len(wish.steps)})
            finally:
                batches.close()

    def _loader(self, state: TrainerState) -> Loader:
        recipe = self.recipe
        return Loader(
            examples=self.examples,
            sampler=self.sampler,
            batch_size=recipe.training.batch_size,
            micro_batches=self.micro_batches,
            rank=self.environment.rank,
            ranks=self.environment.world_size,
            hidden_size=self.model.config.hidden_size,
            vocabulary=vocabulary_of(self.sets[0]) if recipe.data.masking == "dynamic" else None,
            passed_over=state.passed_over,
            device=self.device if self.device.type == "cuda" else None,
            dropout_seed=recipe.training.seed,
        )

    def _watcher(self, state: TrainerState) -> RunWatcher:
        save_seconds = parameter_count(self.model.config) * 12 / _SLOW_DISK
        end = job_end() if self.environment.rank == 0 else None  # hundreds of ranks need not all ask Slurm
        return RunWatcher(
            self.recipe,
            self.engine,
            self.model,
            self.held_out,
            self.identity,
            self.stop,
            self.monitor,
            TimeLimit(end, save_seconds),
            self.status,
            _peak_flops(self.recipe, self.device),
            state,
        )

    def _resume(self) -> tuple[TrainerState, dict[str, list[Any]]]:
        """The state of the newest whole checkpoint, loaded; a fresh one where there are no checkpoints."""
        self.monitor.progress("resuming", may_take_long=True)
        newest = newest_complete(_checkpoints(self.recipe))
        if newest is None:
            if self.recipe.init.moments:
                take_over(self.engine, Path(self.recipe.init.from_ or ""), self.identity)
            return TrainerState(), {}
        state, changes = load(self.engine, newest, self.identity, self.recipe.checkpoint.allow)
        self.status.saved_step = state.step
        return state, changes


def _refuse_lost_checkpoints(recipe: Recipe) -> None:
    """PretrainingError when the run has saved checkpoints and none is there any more."""
    saved = read_state(recipe.run_folder).get("saved_step")
    if saved is not None and not checkpoint_steps(_checkpoints(recipe)):
        raise PretrainingError(
            f"{recipe.run_folder} has saved step {saved} and its checkpoints are gone; restore them, choose another "
            "output.folder, or remove state.json to start again at step 0"
        )


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
