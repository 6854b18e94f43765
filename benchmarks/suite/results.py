"""What was found, for machines (`results.json`) and for people (`RESULTS.md`)."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from benchmarks.suite.cases import Case
from benchmarks.suite.execution import Round
from benchmarks.suite.figures import spread_of, spreads

_BAR = 40
_MOST_FIGURES = 60


def record_of(case: Case, command: Sequence[str], rounds: Sequence[Round]) -> dict[str, Any]:
    """A benchmark's part of the JSON file."""
    good = [one for one in rounds if one.failure is None]
    failures = [one.failure for one in rounds if one.failure is not None]
    record: dict[str, Any] = {
        "name": case.name,
        "what": case.what,
        "command": " ".join(("python", *command)),
        "runs": len(good),
        "failure": failures[0] if failures else None,
    }
    if good:
        record |= {
            "seconds": asdict(spread_of([one.seconds for one in good])),
            "cpu_seconds": asdict(spread_of([one.cpu_seconds for one in good])),
            "peak_mb": asdict(spread_of([one.peak_bytes / 1e6 for one in good])),
            "figures": {name: asdict(found) for name, found in spreads([one.figures for one in good]).items()},
            "text": "" if any(one.figures is not None for one in good) else good[-1].text,
        }
        record["ratios"] = [
            {"what": ratio.what, "peer": ratio.peer, "figure": ratio.figure, **record["figures"][ratio.figure]}
            for ratio in case.ratios
            if ratio.figure in record["figures"]
        ]
    return record


def markdown(results: Mapping[str, Any]) -> str:
    """The whole report."""
    made, where, records = results["made"], results["machine"], results["benchmarks"]
    lines = [
        "# Results of the benchmarks",
        "",
        f"Made by `{made['command']}` on {made['date']}, in {made['seconds'] / 60:.0f} minutes. The same in numbers: "
        f"`{made['json']}`. What each benchmark does stands in its file.",
        "",
    ]
    if made["quick"]:
        lines += ["**Quick: this shows that the benchmarks run. Its figures say nothing.**", ""]
    if max(where["load"], results["load_at_end"]) > where["cores"] + 0.5:
        load = f"{where['load']} at the start, {results['load_at_end']} at the end"
        lines += [f"**The machine was busy (load {load}): figures of wall clocks are worth little.**", ""]
    lines += [
        f"{where['processor']}, {where['cores']} cores, {where['memory_bytes'] / 2**30:.0f} GiB, {where['system']}, "
        f"Python {where['python']}; threads of each side: {made['threads']}, or what a benchmark says itself.",
        "",
        "Versions: " + ", ".join(f"{name} {found}" for name, found in results["versions"].items() if found) + ".",
        "",
        *_next_to_peers(records),
    ]
    failed = [record for record in records if record["failure"]]
    if failed:
        lines += ["## Failed", ""]
        lines += [f"- `{record['command']}`: {record['failure']}" for record in failed] + [""]
    if results["left_out"]:
        lines += ["## Not run", "", *(f"- {name}: {why}" for name, why in results["left_out"].items()), ""]
    for record in records:
        if record["runs"]:
            lines += _section(record)
    return "\n".join(lines).rstrip() + "\n"


def _next_to_peers(records: Sequence[Mapping[str, Any]]) -> list[str]:
    rows = [ratio for record in records for ratio in record.get("ratios", ())]
    if not rows:
        return []
    highest = max(row["median"] for row in rows)
    lines = ["## Next to peers", "", "How many times as fast as the peer, on the same input, in one run.", ""]
    lines += ["| what | peer | times | lowest to highest run | |", "|---|---|--:|---|---|"]
    for row in rows:
        bar = "█" * max(1, round(_BAR * row["median"] / highest))
        spread = _range(row) if row["runs"] > 1 else "one run"
        lines.append(f"| {row['what']} | {row['peer']} | {_number(row['median'])} | {spread} | `{bar}` |")
    return [*lines, ""]


def _section(record: Mapping[str, Any]) -> list[str]:
    runs = "one run" if record["runs"] == 1 else f"{record['runs']} runs"
    lines = [
        f"## {record['name']}: {record['what']}",
        "",
        f"`{record['command']}`, {runs}: {_number(record['seconds']['median'])} s, "
        f"{_number(record['cpu_seconds']['median'])} CPU seconds, peak {_number(record['peak_mb']['median'])} MB.",
        "",
    ]
    if record["text"]:
        return [*lines, "```text", record["text"].rstrip(), "```", ""]
    figures = list(record["figures"].items())
    lines += ["| figure | median | lowest to highest run |", "|---|--:|---|"]
    for name, found in figures[:_MOST_FIGURES]:
        lines.append(f"| {name} | {_number(found['median'])} | {_range(found) if found['runs'] > 1 else 'one run'} |")
    if len(figures) > _MOST_FIGURES:
        lines.append(f"| {len(figures) - _MOST_FIGURES} more in the JSON file | | |")
    return [*lines, ""]


def _range(found: Mapping[str, Any]) -> str:
    return f"{_number(found['lowest'])} to {_number(found['highest'])}"


def _number(value: float) -> str:
    """Four digits that count; large numbers in whole."""
    if value == int(value) or abs(value) >= 1000:
        return f"{value:,.0f}"
    return f"{value:.4g}"
