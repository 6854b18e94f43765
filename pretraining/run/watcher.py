"""What happens around the training loop: figures, evaluation, checkpoints, the wish to stop."""

import time
from dataclasses import asdict, dataclass, field, replace
from types import TracebackType
from typing import Any, Self

import torch
import torch.distributed as dist

from preprocessing.atomic_file import write_text
from pretraining.configuration.tables import Recipe
from pretraining.errors import PretrainingError
from pretraining.model.bert import BertForPreTraining
from pretraining.run.checkpoint.files import Retention, checkpoint_folder
from pretraining.run.checkpoint.identity import Identity
from pretraining.run.checkpoint.save import first_not_finite, not_finite_message, save
from pretraining.run.engine import gradient_norm
from pretraining.run.evaluation import HeldOut
from pretraining.run.health.agreement import Agreement
from pretraining.run.health.bad_steps import BadSteps
from pretraining.run.health.monitor import Monitor
from pretraining.run.health.stop import TIME_IS_UP, StopRequest, wish_named
from pretraining.run.health.time_limit import TimeLimit
from pretraining.run.ledger import Ledger
from pretraining.run.loop import Step
from pretraining.run.metrics import Interval, MetricsLog
from pretraining.run.progress import ProgressLine, describe_evaluation
from pretraining.run.report_page import write_report
from pretraining.run.state_file import StateFile
from pretraining.run.trainer_state import TrainerState

MOST_SKIPPED_IN_A_ROW = 100  # float16's first loss scale needs up to 17 to come down


@dataclass
class RunWatcher:
    """Logs, evaluates, saves and decides when to stop; a context manager around the training loop."""

    recipe: Recipe
    engine: Any
    model: BertForPreTraining
    held_out: HeldOut
    identity: Identity
    stop: StopRequest
    monitor: Monitor
    limit: TimeLimit
    status: StateFile
    peak_flops: float | None
    first: TrainerState
    stopped_by: int = field(init=False, default=0)  # the wish that all ranks agreed on
    interval: Interval = field(init=False)
    agreement: Agreement = field(init=False)
    ledger: Ledger = field(init=False)
    bad_steps: BadSteps = field(init=False)
    log: MetricsLog | None = field(init=False, default=None)
    line: ProgressLine | None = field(init=False, default=None)
    saved_step: int = field(init=False, default=-1)
    skipped: int = field(init=False, default=0)  # updates that DeepSpeed left out, as it counts them
    skipped_logged: int = field(init=False, default=0)
    skipped_in_a_row: int = field(init=False, default=0)

    def __enter__(self) -> Self:
        self.agreement = Agreement()
        self._begin_at(self.first)
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
        if failure is None:
            self.agreement.close()

    def _begin_at(self, state: TrainerState) -> None:
        """Forgets what belongs to other steps."""
        self.interval = Interval(self.model.config, self.recipe.data.sequence_length, self.peak_flops)
        self.ledger = Ledger(state.ledger, self.engine.device)
        self.bad_steps = BadSteps(self.recipe.health)
        self.skipped = self.skipped_logged = self.engine.skipped_steps  # a checkpoint keeps the count
        self.skipped_in_a_row = 0
        self.saved_step = self.status.step = state.step
        if not state.step:
            self.saved_step = -1

    def start(self, state: TrainerState) -> None:
        """Before the first step."""
        self.status.is_ours = True
        self._write_state("running")
        if state.step:
            self.note(state, {"event": "resumed"})
        if state.step == 0 and self.recipe.evaluation.at_start:
            self._evaluate(state)
        self.interval = Interval(self.model.config, self.recipe.data.sequence_length, self.peak_flops)
        self.monitor.progress("the first step", may_take_long=True)

    def go_back(self, state: TrainerState, event: dict[str, Any]) -> None:
        """After a rewind to ``state``: the lines of what was given up go, and what is passed over is saved at once."""
        self._begin_at(state)
        if self.log is not None:
            self.log.go_back(state.step)
        self.saved_step = -1
        self._save(state)
        self.note(state, event)

    def note(self, state: TrainerState, event: dict[str, Any]) -> None:
        """A line about something that happened; on rank 0."""
        if self.log is not None:
            self.log.write({"step": state.step, **event})

    def remark(self, state: TrainerState, sentence: str) -> None:
        """A sentence for whoever looks on, and a line that keeps it; on rank 0."""
        self.note(state, {"event": "remark", "sentence": sentence})
        if self.line is not None:
            self.line.say(sentence)

    def is_at_stop(self, state: TrainerState) -> bool:
        """True when ``training.stop_at`` is reached, or was by an earlier start."""
        stop_at = self.recipe.training.stop_at
        return stop_at is not None and state.step >= stop_at

    def after_step(self, state: TrainerState, step: Step) -> bool:
        """Called by the loop on every rank; True ends it. Raises `Rewind` after too many bad steps."""
        self.monitor.progress(f"step {state.step + 1}")
        self.status.step = state.step
        self.interval.add(step)
        self.ledger.add(step.batch.fingerprint)
        self._look_for_trouble(state, step)
        options, last = self.recipe, self.is_at_stop(state)
        stopping = self._ask_to_stop(step.seconds)
        ending = last or state.step == options.training.steps
        if ending or stopping or state.step % options.output.log_every == 0:
            self._log(state, step)
        if ending or stopping:
            return last or stopping  # what comes then: `finish`
        paused = time.perf_counter()
        if options.evaluation.every and state.step % options.evaluation.every == 0:
            state = self._evaluate(state)
        if options.checkpoint.every and state.step % options.checkpoint.every == 0:
            self._save(state)
        self.interval.leave_out(time.perf_counter() - paused)
        self.monitor.progress(f"step {state.step + 1}")
        return bool(self.stopped_by)

    def _ask_to_stop(self, seconds: float) -> bool:
        wish = self.stop.wish
        if not wish and self.limit.is_near(seconds):
            wish = TIME_IS_UP
        self.stopped_by = self.stopped_by or self.agreement.ask(wish, seconds)
        return bool(self.stopped_by)

    def _look_for_trouble(self, state: TrainerState, step: Step) -> None:
        """DeepSpeed leaves an update out where the gradient is not finite; the step counts all the same."""
        skipped = self.engine.skipped_steps
        left_out = skipped > self.skipped
        self.skipped = skipped
        self.skipped_in_a_row = self.skipped_in_a_row + 1 if left_out else 0
        if self.skipped_in_a_row >= MOST_SKIPPED_IN_A_ROW:
            raise PretrainingError(
                f"{self.skipped_in_a_row} updates in a row were left out, because the gradient was not finite; lower "
                "optimizer.learning_rate, or train with training.precision bf16, and resume from an earlier checkpoint"
            )
        # float16 leaves updates out on purpose, until its loss scale is small enough.
        scale_may_fall = self.engine.fp16_enabled() and self.engine.optimizer.loss_scale > 1
        loss = self._loss_of(step) if self.bad_steps.needs_losses else None
        self.bad_steps.note(state.step, step.batch, left_out=left_out and not scale_may_fall, loss=loss)

    def _loss_of(self, step: Step) -> float:
        """Mean loss of one step over all ranks; the host waits for it."""
        sums = step.sums.clone()
        dist.all_reduce(sums)
        mlm_loss, nsp_loss, *_ = sums.tolist()
        return float(mlm_loss / step.batch.masked_tokens + nsp_loss / step.batch.sequences)

    def finish(self, state: TrainerState, finished: bool) -> bool:
        """After the last step: the last evaluation, unless an earlier start wrote it down, and checkpoint.

        False when the run is not finished, or was stopped before that evaluation was done.
        """
        if finished and len(self.held_out) and not self._is_evaluated(state):
            if broken := first_not_finite(self.engine):
                raise PretrainingError(not_finite_message(broken, state.step))
            state = self._evaluate(state)
            finished = state.held_out_loss is not None
        if state.step:
            self._save(state)
        return finished

    def _is_evaluated(self, state: TrainerState) -> bool:
        found = torch.tensor(int(self.log is not None and self.log.has_evaluation(state.step)))
        found = found.to(self.engine.device)
        dist.broadcast(found, src=0)
        return bool(found.item())

    def conclude(self, finished: bool, state: TrainerState) -> str:
        """Writes the report and, last, the state; returns its status.

        No report of a run that was told to stop: seconds count then, and python -m pretraining.report writes it.
        """
        self.monitor.progress("the report", may_take_long=True)
        status = "finished" if finished else "stopped" if self.is_at_stop(state) else "interrupted"
        if dist.get_rank() == 0 and status != "interrupted":
            write_report(self.recipe.run_folder, self.recipe, self.model.config, self.identity.ranks)
        reason = wish_named(self.stopped_by) if status == "interrupted" else None
        self._write_state(status, reason)
        return status

    def _log(self, state: TrainerState, step: Step) -> None:
        figures = self.interval.close()
        line = {
            "step": state.step,
            **figures,
            "learning_rate": step.learning_rate,
            "gradient_norm": gradient_norm(self.engine),
            "skipped_updates": self.skipped - self.skipped_logged,
            "tokens": state.tokens,
            "sequences": state.sequences,
            "epoch": state.position.epoch,
            "ledger": self.ledger.close(),
            "seconds": state.seconds,
        }
        self.skipped_logged = self.skipped
        if self.log is not None and self.line is not None:
            self.log.write(line)
            self.line.show(line)

    def _evaluate(self, state: TrainerState) -> TrainerState:
        """The state with the held-out loss in it; as it was where there is none, or somebody wants to stop."""
        if not len(self.held_out) or self.stopped_by:
            return state
        before = time.perf_counter()

        def may_go_on() -> bool:
            nonlocal before
            self.monitor.progress("the evaluation")
            seconds, before = time.perf_counter() - before, time.perf_counter()
            return not self._ask_to_stop(seconds)

        figures = self.held_out.evaluate_while(self.engine, may_go_on)
        if figures is None:
            return state
        for source, of_source in figures.items():
            if self.log is not None and self.line is not None:
                self.log.write({"event": "evaluation", "step": state.step, "source": source, **asdict(of_source)})
                self.line.say(describe_evaluation(source, asdict(of_source)))
        return replace(state, held_out_loss=figures["all"].loss)

    def _save(self, state: TrainerState) -> None:
        if self.saved_step == state.step:
            return
        self.monitor.progress("a checkpoint", may_take_long=True)
        options = self.recipe.checkpoint
        saved = save(
            self.engine,
            checkpoint_folder(self.recipe.run_folder),
            replace(state, ledger=self.ledger.close()),
            self.identity,
            Retention(options.keep, options.keep_every, options.keep_best),
        )
        self.saved_step = self.status.saved_step = state.step
        self.limit.saved(saved.seconds)
        self.note(state, {"event": "checkpoint", "seconds": saved.seconds, "bytes": saved.bytes})
        self._write_state("running")

    def _write_state(self, status: str, reason: str | None = None) -> None:
        if dist.get_rank() == 0:
            signal = reason if reason is not None and reason.startswith("SIG") else None
            self.status.write(status, reason, signal)
