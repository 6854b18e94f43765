"""The runs side by side, in Markdown."""

from collections.abc import Mapping, Sequence

from benchmarks.plateau.training import Point

PLATEAU_LEFT = 0.15  # of masked pieces right, more than a run that stayed on the plateau ever had


def left_after(curve: Sequence[Point]) -> float | None:
    """Million tokens after which the accuracy was above that of the plateau for good; None: never."""
    left = None
    for point in curve:
        if point.accuracy <= PLATEAU_LEFT:
            left = None
        elif left is None:
            left = point.tokens / 1e6
    return left


def table(curves: Mapping[str, Sequence[Point]]) -> str:
    """A row a run: where it ended, and when it left the plateau."""
    lines = [
        "| run | M tokens | steps | MLM loss | MLM accuracy | NSP accuracy | plateau left after |",
        "|---|---|---|---|---|---|---|",
    ]
    for name, curve in curves.items():
        end, left = curve[-1], left_after(curve)
        lines.append(
            f"| {name} | {end.tokens / 1e6:.2f} | {end.steps:,} | {end.loss:.2f} | {end.accuracy:.3f} "
            f"| {end.next_sentence_accuracy:.3f} | {'not left' if left is None else f'{left:.2f} M tokens'} |"
        )
    return "\n".join(lines)
