"""How well the tests of a folder notice faults."""

import math
from collections.abc import Iterable
from dataclasses import dataclass

from tests.mutants.ledger import Entry


@dataclass(frozen=True)
class Score:
    """The mutants of one folder that were tried; `of` is how many there are."""

    folder: str
    of: int
    tried: int
    killed: int
    equivalent: int

    @property
    def survived(self) -> int:
        return self.tried - self.killed - self.equivalent

    @property
    def share(self) -> float:
        """Killed mutants among those that can be killed; 1 where there are none."""
        can = self.tried - self.equivalent
        return self.killed / can if can else 1.0

    @property
    def interval(self) -> tuple[float, float]:
        """Within which the whole folder's share lies with 95 % confidence, where a sample was tried (Wilson 1927).

        Without the correction for a finite population, so that it is too wide rather than too narrow.
        """
        can, z = self.tried - self.equivalent, 1.959964
        if not can:
            return 0.0, 1.0
        middle = (self.share + z * z / (2 * can)) / (1 + z * z / can)
        half = z / (1 + z * z / can) * math.sqrt(self.share * (1 - self.share) / can + z * z / (4 * can * can))
        return max(0.0, middle - half), min(1.0, middle + half)


def score_of(
    folder: str, of: int, entries: Iterable[Entry], known: dict[tuple[str, str, str, str], str]
) -> tuple[Score, list[Entry]]:
    """The score, and the survivors that are not known to be equivalent."""
    tried = killed = equivalent = 0
    survivors = []
    for entry in entries:
        tried += 1
        if entry.killed:
            killed += 1
        elif (entry.module, entry.scope, entry.before, entry.after) in known:
            equivalent += 1
        else:
            survivors.append(entry)
    return Score(folder, of, tried, killed, equivalent), survivors


def table_of(scores: Iterable[Score]) -> str:
    """A table in Markdown."""
    lines = ["| folder | mutants | tried | killed | equivalent | survived | score |", "|---|---|---|---|---|---|---|"]
    for score in scores:
        low, high = score.interval
        share = f"{score.share:.1%}" + ("" if score.tried == score.of else f" ({low:.0%} to {high:.0%})")
        counts = (score.of, score.tried, score.killed, score.equivalent, score.survived)
        lines.append(f"| `{score.folder}` | {' | '.join(map(str, counts))} | {share} |")
    return "\n".join(lines) + "\n"
