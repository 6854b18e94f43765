"""The ranks of one run once they have joined: from the newest checkpoint to the end, or to the next stop."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch

from preprocessing.shards import ShardSet
from pretraining.data.dynamic_masking import vocabulary_of
from pretraining.data.examples import Examples
from pretraining.data.loader import Loader, prefetch
from pretraining.data.sampler import Sampler
from pretraining.data.shape_ladder import ShapeLadder, serve
from pretraining.model.bert import BertForPreTraining
from pretraining.model.fp8_linear import use_fp8
from pretraining.optimization.schedules import Schedule
from pretraining.planning.memory import parameter_count
from pretraining.run.checkpoint.files import checkpoint_folder
from pretraining.run.checkpoint.identity import identity_of
from pretraining.run.checkpoint.resume import load, newest_complete, take_over
from pretraining.run.device.compilation import compile_alike
from pretraining.run.device.settings import Settled
from pretraining.run.engine import full_weights, start_engine
from pretraining.run.evaluation import HeldOut
from pretraining.run.export_folder import export_run
from pretraining.run.health.bad_steps import Rewind
from pretraining.run.health.monitor import Monitor
from pretraining.run.health.rewind import go_back, write_passed_over
from pretraining.run.health.stop import INTERRUPTED, StopRequest
from pretraining.run.health.time_limit import TimeLimit, job_end
from pretraining.run.loop import train
from pretraining.run.peak import peak_flops
from pretraining.run.ranks import RankEnvironment
from pretraining.run.state_file import StateFile
from pretraining.run.trainer_state import TrainerState
from pretraining.run.watcher import RunWatcher

_SLOW_DISK = 50e6  # bytes a second that a disk writes at least: until a save was timed


@dataclass
class JoinedRun:
    """The joined ranks of one run, and its parts in the order in which they are made."""

    settled: Settled
    environment: RankEnvironment
    stop: StopRequest
    monitor: Monitor
    status: StateFile
    sets: list[ShardSet]
    model: BertForPreTraining
    device: torch.device
    micro_batches: int
    schedule: Schedule
    events: tuple[dict[str, Any], ...] = ()  # what was settled before, for metrics.jsonl

    def __post_init__(self) -> None:
        self.recipe, self.remarks = self.settled.recipe, self.settled.sentences
        recipe, sets, ranks = self.recipe, self.sets, self.environment.world_size
        self.examples = Examples(sets, "train", recipe.data.sequence_length)
        self.sampler = Sampler.weighted(tuple(self.examples.set_sizes), recipe.data.weights, recipe.data.seed)
        fixed = self._wants_fixed_shapes()
        batch_size = recipe.training.batch_size
        self.ladder = (
            ShapeLadder.of(self.examples, self.sampler, batch_size, ranks, self.micro_batches) if fixed else None
        )
        self.held_out = HeldOut(
            Examples(sets, "heldout", recipe.data.sequence_length),
            recipe.evaluation.examples,
            recipe.training.least_micro_batch_size,
            fixed_shapes=fixed,
        )
        if recipe.training.linear_layers == "fp8":
            use_fp8(self.model.bert)
        if recipe.model.compile == "true":
            self.monitor.progress("compiling", may_take_long=True)
            asked = self.settled.is_compiling_asked_for
            left_out = compile_alike(self.model, self.device, recipe.training.precision, asked=asked)
            self.remarks += (left_out,) if left_out else ()
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
            for remark in self.remarks:
                watcher.remark(state, remark)
            for event in self.events:
                watcher.note(state, event)
            if changes:
                watcher.note(state, {"event": "resumed with other settings", "settings": changes})
            watcher.start(state)
            if not watcher.is_at_stop(state) and not watcher.stopped_by:
                state = self._train_on(state, watcher)
            finished = watcher.finish(state, self.schedule.is_over(state.step, state.agreed_seconds))
            if finished and recipe.output.export:
                self.monitor.progress("the export", may_take_long=True)
                tokenizer = Path(self.sets[0].tokenizer_path)
                export_run(full_weights(self.engine), self.model, tokenizer, recipe.run_folder, state.step)
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
            ladder=self.ladder,
        )

    def _wants_fixed_shapes(self) -> bool:
        option, config = self.recipe.data.fixed_shapes, self.model.config
        if option != "auto":
            return option == "on"
        capability = torch.cuda.get_device_capability(self.device) if self.device.type == "cuda" else None
        return serve(self.recipe.training.precision, config.hidden_size // config.num_attention_heads, capability)

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
            peak_flops(self.recipe, self.device),
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
