"""How a chain stands, as a page: the rows of the table, for whoever has a browser and no terminal."""

from collections.abc import Sequence
from datetime import datetime
from pathlib import Path

from cluster.chain.road import Chain
from cluster.chain.table import Row

BAD = ("failed", "out of memory", "out of time", "cancelled", "not started")
"""States that somebody has to look at."""


def write_page(file: Path, chain: Chain, rows: Sequence[Row], now: datetime, every: float | None = None) -> Path:
    """Writes the page, whole or not at all. `every`: seconds until a browser is to look again, while jobs go on."""
    from pages import render
    from preprocessing.atomic_file import write_text

    counts = {state: sum(row.state == state for row in rows) for state in dict.fromkeys(row.state for row in rows)}
    values = {
        "output": str(chain.output),
        "rows": rows,
        "bad": BAD,
        "counts": [(state, str(count)) for state, count in counts.items()],
        "time": now.strftime("%d %b %Y, %H:%M:%S"),
        "every": None if every is None else max(1, round(every)),
        "sections": [],
    }
    write_text(file, render("cluster.chain", "status.html", values))
    return file
