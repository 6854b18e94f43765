"""The report that people read: largest gaps in words, tables of what was measured, and what was left out."""

from typing import Any

from benchmarks.gpu.report import write_report


def gap(kind: str, ms: float, floor: float) -> dict[str, Any]:
    figures = {"ms": ms, "floor_ms": floor, "gap_ms": ms - floor, "kernels": 3, "largest": ["k"]}
    return {"part": "gap", "at": 1, "case": "large-128", "contestant": "ours", "kind": kind, **figures}


LINES: list[dict[str, Any]] = [
    {
        "part": "environment",
        "at": 0,
        "device": "H200",
        "driver": "580",
        "versions": {"torch": "2.11", "x": None},
    },
    {"part": "ceiling", "at": 1, "what": "product", "tflops": 800.04},
    {"part": "step", "at": 2, "case": "large-128", "contestant": "ours", "ms": 150.0, "tokens_per_second": 209156.4},
    {"part": "step", "at": 2, "case": "large-128", "contestant": "theirs", "failed": "RuntimeError('no')"},
    *(gap("a", 9, 8), gap("b", 7, 1), gap("c", 5, 0), gap("d", 4, 1)),
    {"part": "skipped", "at": 3, "what": "engine", "why": "deepspeed is not installed"},
    {"part": "not reached", "at": 4, "what": "base-128"},
    {"part": "timing", "at": 4, "of": "base-128", "seconds": 1},
]


def test_the_three_largest_gaps_are_named_in_order() -> None:
    (sentence,) = [line for line in write_report(LINES).splitlines() if "three largest" in line]
    assert sentence.startswith("large-128, ours, 25.0 ms a step.")
    assert sentence.index("b 6.00 ms (7.00, at least 1.00)") < sentence.index("c 5.00 ms") < sentence.index("d 3.00 ms")
    assert "a 1.00" not in sentence


def test_tables_show_what_was_measured_and_only_columns_that_have_figures() -> None:
    report = write_report(LINES)
    assert "| large-128 | ours | 150.0 | 209,156 |" in report
    assert "peak GiB" not in report
    assert "| product | 800.0 |" in report
    assert "- driver: 580" in report
    assert "- torch: 2.11" in report
    assert "None" not in report


def test_what_is_left_out_is_said_with_its_reason() -> None:
    end = write_report(LINES).partition("## Left out")[2]
    assert "large-128, theirs: failed: RuntimeError('no')" in end
    assert "engine: skipped: deepspeed is not installed" in end
    assert "base-128: not reached: no time was left" in end
    assert "timing" not in end


def test_nothing_measured_is_a_report_too() -> None:
    assert write_report([]).startswith("# One GPU")
