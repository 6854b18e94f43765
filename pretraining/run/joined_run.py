"""The ranks of one run once they have joined: from the newest checkpoint to the end, or to the next stop."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist

from preprocessing.shards import ShardSet
from pretraining.configuration.tables import Recipe
from pretraining.data.dynamic_masking import vocabulary_of
from pretraining.data.examples import Examples
from pretraining.data.loader import Loader, prefetch
from pretraining.data.sampler import Sampler
from pretraining.model.bert import BertForPreTraining
from pretraining.optimization.schedules import Schedule
from pretraining.planning.flops import datasheet_tflops
from pretraining.planning.measured_peak import measure_matmul_tflops
from pretraining.planning.memory import parameter_count
from pretraining.run.checkpoint.files import checkpoint_folder
from pretraining.run.checkpoint.identity import identity_of
from pretraining.run.checkpoint.resume import load, newest_complete, take_over
from pretraining.run.engine import full_weights, start_engine
from pretraining.run.evaluation import HeldOut
from pretraining.run.export_folder import export_run
from pretraining.run.health.bad_steps import Rewind
from pretraining.run.health.monitor import Monitor
from pretraining.run.health.rewind import go_back, write_passed_over
from pretraining.run.health.stop import INTERRUPTED, StopRequest
from pretraining.run.health.time_limit import TimeLimit, job_end
from pretraining.run.loop import train
from pretraining.run.ranks import RankEnvironment
from pretraining.run.state_file import StateFile
from pretraining.run.trainer_state import TrainerState
from pretraining.run.watcher import RunWatcher

_SLOW_DISK = 50e6  # bytes a second that a disk writes at least: until a save was timed


@dataclass
class JoinedRun:
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
                    self.engine, wish, self._checkpoints, self.identity, state, rewinds, recipe.health.rewinds
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
        newest = newest_complete(self._checkpoints)
        if newest is None:
            if self.recipe.init.moments:
                take_over(self.engine, Path(self.recipe.init.from_ or ""), self.identity)
            return TrainerState(), {}
        state, changes = load(self.engine, newest, self.identity, self.recipe.checkpoint.allow)
        self.status.saved_step = state.step
        return state, changes

    @property
    def _checkpoints(self) -> Path:
        return checkpoint_folder(self.recipe.run_folder)


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
