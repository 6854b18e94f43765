"""What happens around the training loop: figures, evaluation, checkpoints, the wish to stop."""

import time
from dataclasses import asdict, dataclass, field
from types import TracebackType
from typing import Any, Self

import torch.distributed as dist

from preprocessing.atomic_file import write_text
from pretraining.configuration.tables import Recipe
from pretraining.errors import PretrainingError
from pretraining.model.bert import BertForPreTraining
from pretraining.run import checkpoint
from pretraining.run.engine import gradient_norm
from pretraining.run.evaluation import HeldOut
from pretraining.run.loop import Step
from pretraining.run.metrics import Interval, MetricsLog
from pretraining.run.progress import ProgressLine, describe_evaluation
from pretraining.run.report_page import write_report
from pretraining.run.stop import StopRequest
from pretraining.run.trainer_state import TrainerState, dump

MOST_SKIPPED_IN_A_ROW = 100  # float16's first loss scale needs up to 17 to come down


@dataclass
class RunWatcher:
    """Logs, evaluates, saves and decides when to stop; a context manager around the training loop."""

    recipe: Recipe
    engine: Any
    model: BertForPreTraining
    held_out: HeldOut
    identity: checkpoint.Identity
    stop: StopRequest
    peak_flops: float | None
    first: TrainerState
    interval: Interval = field(init=False)
    log: MetricsLog | None = field(init=False, default=None)
    line: ProgressLine | None = field(init=False, default=None)
    saved_step: int = field(init=False, default=-1)
    last: TrainerState = field(init=False)
    skipped: int = field(init=False, default=0)  # updates that DeepSpeed left out, as it counts them
    skipped_logged: int = field(init=False, default=0)
    skipped_in_a_row: int = field(init=False, default=0)

    def __enter__(self) -> Self:
        self.interval = Interval(self.model.config, self.recipe.data.sequence_length, self.peak_flops)
        self.last = self.first
        self.skipped = self.skipped_logged = self.engine.skipped_steps  # a checkpoint keeps the count
        if dist.get_rank() == 0:
            folder = self.recipe.run_folder
            self.log = MetricsLog(folder, tensorboard=self.recipe.output.tensorboard, resumed_step=self.first.step)
            self.line = ProgressLine(self.recipe.training.steps, self.first.step)
            self.line.__enter__()
            write_text(folder / "recipe.json", self.recipe.model_dump_json(indent=2, by_alias=True) + "\n")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, failure: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.line is not None:
            self.line.__exit__(kind, failure, trace)
        if self.log is not None:
            self.log.close()
        if failure is not None:
            self._write_state("failed", self.last, reason=str(failure) or type(failure).__name__)

    def start(self, state: TrainerState) -> None:
        """Before the first step."""
        self._write_state("running", state)
        self.saved_step = state.step if state.step else -1
        if state.step == 0 and self.recipe.evaluation.at_start:
            self._evaluate(state)
        self.interval = Interval(self.model.config, self.recipe.data.sequence_length, self.peak_flops)

    def is_at_stop(self, state: TrainerState) -> bool:
        """True when ``training.stop_at`` is reached, or was by an earlier start."""
        stop_at = self.recipe.training.stop_at
        return stop_at is not None and state.step >= stop_at

    def after_step(self, state: TrainerState, step: Step) -> bool:
        """Called by the loop on every rank; True ends it."""
        self.interval.add(step)
        self.last = state
        self._count_skipped()
        options, last = self.recipe, self.is_at_stop(state)
        ending = last or state.step == options.training.steps
        stopping = False
        if ending or state.step % options.output.log_every == 0:
            figures, (wishes,) = self.interval.close((float(self.stop.requested),))
            stopping = wishes > 0
            self._log(state, step, figures)
        paused = time.perf_counter()
        if options.evaluation.every and state.step % options.evaluation.every == 0 and not ending:
            self._evaluate(state)
        if options.checkpoint.every and state.step % options.checkpoint.every == 0:
            self._save(state)
        self.interval.leave_out(time.perf_counter() - paused)
        return last or stopping

    def _count_skipped(self) -> None:
        """DeepSpeed leaves an update out where the gradient is not finite; the step counts all the same."""
        skipped = self.engine.skipped_steps
        self.skipped_in_a_row = self.skipped_in_a_row + 1 if skipped > self.skipped else 0
        self.skipped = skipped
        if self.skipped_in_a_row >= MOST_SKIPPED_IN_A_ROW:
            raise PretrainingError(
                f"{self.skipped_in_a_row} updates in a row were left out, because the gradient was not finite; lower "
                "optimizer.learning_rate, or train with training.precision bf16, and resume from an earlier checkpoint"
            )

    def finish(self, state: TrainerState, finished: bool) -> None:
        """After the last step: the last evaluation and checkpoint."""
        if finished and state.step > self.first.step:
            self._evaluate(state)
        self._save(state)

    def conclude(self, state: TrainerState, finished: bool) -> str:
        """Writes the report and, last, the state; returns its status."""
        if dist.get_rank() == 0:
            write_report(self.recipe.run_folder, self.recipe, self.model.config, self.identity.ranks)
        status = "finished" if finished else "stopped" if self.is_at_stop(state) else "interrupted"
        self._write_state(status, state)
        return status

    def _log(self, state: TrainerState, step: Step, figures: dict[str, Any]) -> None:
        if not figures["loss"] < float("inf"):
            raise PretrainingError(
                f"the loss is {figures['loss']} at step {state.step}; lower optimizer.learning_rate or raise "
                "schedule.warmup_steps, and resume from the last checkpoint"
            )
        line = {
            "step": state.step,
            **figures,
            "learning_rate": step.learning_rate,
            "gradient_norm": gradient_norm(self.engine),
            "skipped_updates": self.skipped - self.skipped_logged,
            "tokens": state.tokens,
            "sequences": state.sequences,
            "epoch": state.position.epoch,
            "seconds": state.seconds,
        }
        self.skipped_logged = self.skipped
        if self.log is not None and self.line is not None:
            self.log.write(line)
            self.line.show(line)

    def _evaluate(self, state: TrainerState) -> None:
        if not len(self.held_out):
            return
        for source, figures in self.held_out.evaluate(self.engine).items():
            if self.log is not None and self.line is not None:
                self.log.write({"event": "evaluation", "step": state.step, "source": source, **asdict(figures)})
                self.line.say(describe_evaluation(source, asdict(figures)))

    def _save(self, state: TrainerState) -> None:
        if self.saved_step != state.step:
            folder = self.recipe.run_folder / "checkpoints"
            checkpoint.save(self.engine, folder, state, self.identity, self.recipe.checkpoint.keep)
            self.saved_step = state.step

    def _write_state(self, status: str, state: TrainerState, reason: str | None = None) -> None:
        """``state.json``, which scripts decide by: launchers lose exit codes on the way.

        ``status`` is ``running``, ``finished``, ``stopped`` (at ``training.stop_at``: the same command does nothing
        more), ``interrupted`` (the same command goes on) or ``failed``.
        """
        if dist.get_rank() == 0:
            contents = {"status": status, "step": state.step, "steps": self.recipe.training.steps, "reason": reason}
            write_text(self.recipe.run_folder / "state.json", dump({**contents, "signal": self.stop.signal_name}))
