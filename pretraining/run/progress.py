"""The line that people watch: on a terminal it stays in place, in a file it is one plain line per logged step."""

import sys
from datetime import timedelta
from types import TracebackType
from typing import Any, Self

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn


class ProgressLine:
    """Shows the figures of the last logged step. Only rank 0 makes one."""

    def __init__(self, steps: int, first_step: int) -> None:
        self.console = Console(file=sys.stderr, highlight=False)
        self.steps = steps
        self._bar = Progress(
            MofNCompleteColumn(), BarColumn(bar_width=20), TextColumn("{task.description}"), console=self.console
        )
        self._task = self._bar.add_task("starting", total=steps, completed=first_step)

    def __enter__(self) -> Self:
        if self.console.is_terminal:
            self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.console.is_terminal:
            self._bar.stop()

    def show(self, line: dict[str, Any]) -> None:
        """Shows one line of metrics."""
        text = describe(line, self.steps)
        if self.console.is_terminal:
            self._bar.update(self._task, completed=line["step"], description=text)
        else:
            print(f"step {line['step']}/{self.steps}  {text}", file=sys.stderr, flush=True)

    def say(self, text: str) -> None:
        """A line above the progress."""
        self.console.print(text) if self.console.is_terminal else print(text, file=sys.stderr, flush=True)


def describe(line: dict[str, Any], steps: int) -> str:
    """The figures of a logged step as one line of text."""
    left = timedelta(seconds=round((steps - line["step"]) * line["seconds_per_step"]))
    mfu = "–" if line["mfu"] is None else f"{line['mfu']:.1%}"
    return (
        f"loss {line['loss']:.3f}  MLM {line['mlm_accuracy']:.1%}  NSP {line['nsp_accuracy']:.1%}  "
        f"rate {line['learning_rate']:.2e}  {line['tokens_per_second']:,.0f} tokens/s  "
        f"filler {line['filler_share']:.2%}  padding avoided {line['padding_avoided_share']:.0%}  "
        f"data wait {line['data_wait_share']:.1%}  MFU {mfu}  "
        f"{line['memory_bytes'] / 2**30:.1f} GiB  left {left}"
    )


def describe_evaluation(source: str, figures: dict[str, Any]) -> str:
    """Held-out figures of one source as one line of text."""
    return (
        f"held out, {source}: loss {figures['loss']:.3f}  MLM {figures['mlm_accuracy']:.1%}  "
        f"NSP {figures['nsp_accuracy']:.1%}  ({figures['sequences']:,} examples)"
    )
