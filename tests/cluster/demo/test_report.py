"""The demo's page, on a folder that is made up."""

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest

from cluster.demo.report import write_report
from cluster.errors import ClusterError
from cluster.stages.chain import Marker, Stage
from tests.cluster.demo.finished_demo import finish_demo
from tests.finetuning.conftest import write_result  # noqa: F401

STAGES = [Stage("text", "The <text>", ("/opt/python", "-m", "text"), (), ())]
MARKERS = {"text": Marker("k", "complete", STAGES[0].command, 2, 12.5)}


@pytest.fixture
def folder(tmp_path: Path, write_result: Callable[..., Path]) -> Path:  # noqa: F811
    finish_demo(tmp_path / "demo", write_result)
    return tmp_path / "demo"


def page_of(folder: Path) -> str:
    write_report(folder, STAGES, MARKERS)
    return (folder / "report.html").read_text()


def test_the_story_and_its_figures(folder: Path) -> None:
    said = write_report(folder, STAGES, MARKERS)
    page, summary = (folder / "report.html").read_text(), json.loads((folder / "summary.json").read_text())
    assert "0.520 → 0.720" in page
    assert "0.720 ± 0.010 over 3 seeds" in page
    assert "0.720 ± 0.010 over 3 seeds" in said
    assert "bag of words     0.620 ± 0.010 over 3 seeds" in said
    assert '<th scope="row">bag of words</th>' in page
    assert "The &lt;text&gt;" in page
    assert "<code>python -m text</code>" in page
    assert summary["seconds"]["total"] == 12.5
    assert page.count("<figure") == 3  # loss, accuracy, the task
    assert "phase 2 begins: step 300." in page


def test_pages_that_are_there_are_linked(folder: Path) -> None:
    assert "phase1/report.html" not in page_of(folder)
    (folder / "phase1" / "report.html").write_text("")
    assert '<a href="phase1/report.html">Phase 1</a>' in page_of(folder)


def test_gaps_are_filled_most_probable_first(folder: Path) -> None:
    page = page_of(folder)
    assert "Paris is the <mark>[MASK]</mark> of France." in page
    section = page[page.index('id="gaps"') : page.index('id="text"')]
    assert re.findall(r"<th scope=\"row\">(\w+)</th>", section)[:7] == [
        *(f"word{number}" for number in range(1, 6)),
        *("word4", "word5"),  # before pretraining
    ]
    assert section.count("Before, from random weights") == 2  # one table, as caption and as the name of its region
    assert section.count("<details") == 2
    assert section.count(" open") == 1


def test_without_the_file_there_is_no_such_section(folder: Path) -> None:
    (folder / "fill_mask.json").unlink()
    page = page_of(folder)
    assert "gaps" not in page
    assert "[MASK]" not in page


@pytest.mark.parametrize(
    "content",
    [
        "{half",
        "3",
        '["a"]',
        '[{"sentence": "a [MASK]"}]',
        '[{"sentence": "a [MASK]", "answers": [{"word": "b"}]}]',
        '[{"sentence": "a [MASK]", "answers": [{"word": "b", "probability": 1.5}]}]',
    ],
)
def test_a_file_that_is_something_else_is_named(folder: Path, content: str) -> None:
    (folder / "fill_mask.json").write_text(content)
    with pytest.raises(ClusterError, match=r"fill_mask\.json is no list of sentences with their answers"):
        page_of(folder)
