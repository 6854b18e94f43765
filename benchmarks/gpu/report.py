"""The figures as a person reads them: Markdown out of the lines of a measurement."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

Line = Mapping[str, Any]

# Heading, which part's lines, and which of their figures, with the format of each.
_TABLES: tuple[tuple[str, str, tuple[tuple[str, str, str], ...]], ...] = (
    ("Ceilings", "ceiling", (("what", "what", ""), ("tflops", "TFLOP/s", ".1f"), ("tb_per_second", "TB/s", ".2f"))),
    (
        "A training step: forward, backward, AdamW, bfloat16 autocast",
        "step",
        (
            ("case", "case", ""),
            ("contestant", "", ""),
            ("sequences", "sequences", ""),
            ("ms", "ms", ".1f"),
            ("fastest_ms", "fastest", ".1f"),
            ("slowest_ms", "slowest", ".1f"),
            ("host_ms", "of the host", ".1f"),
            ("tokens_per_second", "tokens/s", ",.0f"),
            ("mfu", "MFU", ".3f"),
            ("mfu_measured_peak", "of the measured peak", ".3f"),
            ("peak_gib", "peak GiB", ".1f"),
            ("planned_gib", "planned", ".1f"),
            ("first_seconds", "first step, s", ".1f"),
        ),
    ),
    (
        "Where that step's time goes, the largest gap to the peak first",
        "gap",
        (
            ("case", "case", ""),
            ("contestant", "", ""),
            ("kind", "kind of work", ""),
            ("ms", "ms", ".2f"),
            ("floor_ms", "at least", ".2f"),
            ("gap_ms", "gap", ".2f"),
            ("kernels", "kernels", ""),
        ),
    ),
    (
        "The same through DeepSpeed, ZeRO stage 1, one rank",
        "engine",
        (
            ("case", "case", ""),
            ("optimizer", "optimiser", ""),
            ("micro_batches", "micro-batches", ""),
            ("ms", "ms", ".1f"),
            ("host_ms", "of the host", ".1f"),
            ("update_ms", "update alone", ".1f"),
            ("tokens_per_second", "tokens/s", ",.0f"),
            ("mfu", "MFU", ".3f"),
            ("mfu_measured_peak", "of the measured peak", ".3f"),
            ("peak_gib", "peak GiB", ".1f"),
            ("planned_gib", "planned", ".1f"),
            ("waits", "waits for the device", ""),
        ),
    ),
    (
        "A step of fine-tuning",
        "finetuning",
        (
            ("case", "case", ""),
            ("sequences", "sequences", ""),
            ("precision", "precision", ""),
            ("ms", "ms", ".1f"),
            ("host_ms", "of the host", ".1f"),
        ),
    ),
    (
        "Attention of one layer, forward and backward",
        "attention",
        (
            ("case", "case", ""),
            ("sequences", "sequences", ""),
            ("dtype", "precision", ""),
            ("dropout", "dropout", ""),
            ("us", "µs", ".0f"),
            ("host_us", "of the host", ".0f"),
            ("tflops", "TFLOP/s", ".0f"),
        ),
    ),
)
_GAPS_NAMED = 3


def write_report(lines: Sequence[Line]) -> str:
    """Markdown; what failed, was skipped or was not reached stands at the end."""
    environment: Line = next((line for line in lines if line["part"] == "environment"), {})
    parts = [_facts(environment)]
    parts += [_sentence(case, contestant, group) for (case, contestant), group in _gap_groups(lines).items()]
    for heading, part, columns in _TABLES:
        rows = [line for line in lines if line["part"] == part and "failed" not in line]
        if rows:
            parts.append(f"## {heading}\n\n{_table(rows, columns)}")
    left_out = [_left_out(line) for line in lines if _is_left_out(line)]
    if left_out:
        parts.append("## Left out\n\n" + "\n".join(f"- {text}" for text in left_out))
    return "\n\n".join(parts) + "\n"


def _facts(environment: Line) -> str:
    named = {name: value for name, value in environment.items() if name not in ("part", "at", "versions")}
    versions = {name: value for name, value in environment.get("versions", {}).items() if value}
    return "# One GPU\n\n" + "\n".join(f"- {name}: {value}" for name, value in {**named, **versions}.items())


def _gap_groups(lines: Iterable[Line]) -> dict[tuple[str, str], list[Line]]:
    groups: dict[tuple[str, str], list[Line]] = {}
    for line in lines:
        if line["part"] == "gap":
            groups.setdefault((line["case"], line["contestant"]), []).append(line)
    return groups


def _sentence(case: str, contestant: str, group: Sequence[Line]) -> str:
    """The three largest gaps of a step, in words."""
    whole = sum(line["ms"] for line in group)
    largest = sorted(group, key=lambda line: -line["gap_ms"])[:_GAPS_NAMED]
    named = "; ".join(
        f"{line['kind']} {line['gap_ms']:.2f} ms ({line['ms']:.2f}, at least {line['floor_ms']:.2f})"
        for line in largest
    )
    return f"{case}, {contestant}, {whole:.1f} ms a step. The three largest gaps to the peak: {named}."


def _table(rows: Sequence[Line], columns: Sequence[tuple[str, str, str]]) -> str:
    shown = [column for column in columns if any(row.get(column[0]) is not None for row in rows)]
    head = ["| " + " | ".join(title for _, title, _ in shown) + " |", "|" + "---|" * len(shown)]
    body = ["| " + " | ".join(_cell(row.get(name), form) for name, _, form in shown) + " |" for row in rows]
    return "\n".join(head + body)


def _cell(value: Any, form: str) -> str:
    if value is None:
        return ""
    if isinstance(value, Mapping):
        return "; ".join(f"{count} at {where}" for where, count in value.items()) or "none"
    return format(value, form) if form else str(value)


def _is_left_out(line: Line) -> bool:
    return "failed" in line or line["part"] in ("skipped", "not reached", "note")


def _left_out(line: Line) -> str:
    what = line.get("what") or ", ".join(str(line[name]) for name in ("case", "contestant") if name in line)
    why = line.get("failed") or line.get("why") or line.get("text") or "no time was left"
    word = "failed" if "failed" in line else line["part"]
    return f"{what or line['part']}: {word}: {why}"
