"""Pictures only where there is something to see, and a reason for every drop that the code knows."""

import re
from pathlib import Path
from typing import Any

from preprocessing.shards.drop_reasons import REASONS
from preprocessing.shards.manifest import Manifest
from preprocessing.shards.report import summarise
from preprocessing.shards.report_page import render


def page_with(shard_folder: Path, histogram: dict[int, int]) -> str:
    summary: dict[str, Any] = summarise(Manifest.read(shard_folder))
    summary["examples"]["train/16"] |= {"length_histogram": histogram, "rows": sum(histogram.values())}
    return render(summary)


def test_a_histogram_is_of_what_is_shorter_than_the_length(shard_folder: Path) -> None:
    page = page_with(shard_folder, {6: 50, 7: 30, 10: 40, 16: 880})
    assert "train/16: 88.0% of the examples have all 16 tokens." in page
    assert "Examples shorter than 16, train/16" in page
    assert page.count("<rect") == 3


def test_few_shorter_examples_are_no_histogram(shard_folder: Path) -> None:
    page = page_with(shard_folder, {6: 30, 7: 30, 10: 39, 16: 880})
    assert "<figure" not in page


def test_reasons_are_those_of_the_code(repository: Path) -> None:
    """Names of counters are written as `dropped.NAME`, `DROPPED + "NAME"`, `kind="NAME"` or returned as a refusal."""
    sources = [file.read_text(encoding="utf-8") for file in (repository / "preprocessing").rglob("*.py")]
    text = "\n".join(sources)
    found = re.findall(r'"dropped\.(\w+)"|DROPPED \+ "(\w+)"|kind: str = "(\w+)"|kind="(\w+)"', text)
    named = {name for names in found for name in names if name} - {"stable"}
    assert named - REASONS.keys() == set()
    assert {name for name in REASONS if not re.search(rf"\b{name}\b", text.replace(f'"{name}": "', ""))} == set()
