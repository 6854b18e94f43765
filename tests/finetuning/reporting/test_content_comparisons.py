"""Which runs of two models a report compares, adjusted for all that it compares, and what it notes."""

from collections.abc import Callable
from pathlib import Path

import pytest

from finetuning.reporting.content import build
from tests.finetuning.reporting.finished_runs import Made, answered


def test_checkpoints_are_compared_run_by_run(sweep: Path) -> None:
    (row,) = build([sweep], baseline="old")["comparisons"]
    assert (row["baseline"], row["model"], row["task"], row["note"]) == ("old", "new", "polite", "")
    assert (row["seeds"], row["pairs"], row["unpaired"]) == (3, 5, 1)
    # seed 1: both rates, one of them failed; seed 2: both; seed 3: the one that both models have
    assert row["mean_difference"] == pytest.approx(((0.05 + 0.4 - 0.71) / 2 + (0.05 + 0.1) / 2 + 0.1) / 3)
    assert (row["wins"], row["losses"]) == (2, 1)
    assert row["p_value"] == row["p_value_holm"]
    (reverse,) = build([sweep])["comparisons"]  # the first model, new
    assert reverse["mean_difference"] == pytest.approx(-row["mean_difference"])


def test_p_values_are_adjusted_for_all_that_were_tested(made: Made, tmp_path: Path) -> None:
    """b wins all of five seeds of rte; of two of cola it wins one; of one of sst2 there is nothing to test; c has no
    seed of a."""
    for task, differences in (("rte", (1, 2, 3, 4, 5)), ("cola", (1, -1)), ("sst2", (1,))):
        for seed, difference in enumerate(differences):
            for model in ("a", "b"):
                made(
                    f"{model}-{task}{seed}",
                    task=task,
                    seed=seed,
                    score=0.5 + difference / 64 * (model == "b"),
                    model=model,
                )
    made("c", task="rte", seed=9, model="c")
    rows = build([tmp_path])["comparisons"]
    assert [(row["model"], row["task"], row["seeds"]) for row in rows] == [
        *(("b", "cola", 2), ("b", "rte", 5), ("b", "sst2", 1)),
    ]
    adjusted = {
        row["task"]: [row[f"{name}{suffix}"] for name in ("p_value", "smallest_p_value") for suffix in ("", "_holm")]
        for row in rows
    }
    # The smaller of two twice, the larger once, by Holm.
    assert adjusted == {
        "cola": [1.0, 1.0, 0.5, 0.5],
        "rte": [0.0625, 0.125, 0.0625, 0.125],
        "sst2": [None, None, None, None],
    }
    assert {row["seeds_needed"] for row in rows} == {7}  # 2 / 2^6 ≤ 0.05 / 2 < 2 / 2^5


@pytest.mark.parametrize(
    ("old", "new", "counts"),
    [
        ("xxx", "yyy", "3 and 3 start from 1 and 1 fine-tuned runs"),
        ("xyz", "yyx", "3 and 3 start from 3 and 2 fine-tuned runs"),
        ("xyz", None, ""),
        ("xxx", None, ""),  # other settings, so that nothing is paired
        ("xyz", "zyx", ""),
    ],
)
def test_paired_runs_from_one_start_say_so(
    tmp_path: Path, write_result: Callable[..., Path], old: str, new: str | None, counts: str
) -> None:
    for label, starts in (("old", old), ("new", new or "fff")):
        for seed, start in enumerate(starts):
            folder = tmp_path / label / (f"{seed}-from-mnli" if label == "old" or new else str(seed))
            fields = {"model_fingerprint": start * 64, "seed": seed, "spec": {"model": f"{label}/model"}}
            answered(write_result(folder, task="rte", score=0.6 + seed / 50, **fields))
    # A run without a partner counts for nothing.
    unpaired = {"seed": 7, "model_fingerprint": old[0] * 64, "spec": {"model": "old/model"}}
    answered(write_result(tmp_path / "old" / "7-from-mnli", task="rte", **unpaired))
    notes = [row["note"] for row in build([tmp_path], baseline="old")["comparisons"]]
    assert len(notes) == (new is not None)
    for note in notes:
        assert (counts in note) if counts else note == ""
