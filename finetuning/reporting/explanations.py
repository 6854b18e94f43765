"""How each figure of the report came to be, in words, for the page and the Markdown file."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any


def explanations(report: Mapping[str, Any]) -> list[tuple[str, str]]:
    """(What stands in a column or list, how it came to be), for what this report has."""
    models = [model for task in report["tasks"] for model in task["models"]]
    rows = [row for model in models for row in model["settings"]]
    how = "Student's t over seeds" if report["interval"]["method"] == "t" else "BCa bootstrap over seeds"
    found = [
        (
            "mean ± sd",
            "mean and standard deviation over the seeds of one setting, of dev scores after the last epoch. "
            f"In the tables of all settings, [a, b] is the 95 % interval of that mean ({how}), of the setting alone.",
        ),
        (
            "95 % interval",
            f"of the best setting's mean; after it stands what it allows for. Seeds: {how}. Dev rows: other rows like "
            "these (below; then Student's t with the degrees of freedom of both). Choice of setting: it was chosen on "
            "the seeds that it is reported on, which makes its mean too high, so the lower end holds for all settings "
            "at once (Bonferroni).",
        ),
        (
            "held out",
            "each seed's score of the setting that is best on the other seeds, averaged: a mean that no choice of "
            "seeds has made too high. The setting is chosen on these dev rows all the same, "
            "and after first_seeds the first seeds have chosen who got others.",
        ),
        (
            "± seeds / rows / both",
            "half the width of a 95 % interval around the mean if only the seeds were drawn anew, only the dev rows "
            "(bootstrap of the rows by the task's own metric, the same for all runs), or both; without the choice. "
            "Rows count as independent; questions about one paragraph are not quite.",
        ),
        (
            "expected best of n",
            "the highest score to be expected of n runs drawn from these (Dodge et al. 2019, section 3.1): what a "
            "leaderboard's single figure shows after n tries.",
        ),
        (
            "constant",
            "the best score that one and the same answer to all dev rows can have by this metric. A run failed if its "
            "loss stopped being finite, if it answers every row alike, or if it is not above that score. Failed runs "
            "count in every mean; the figures without them stand beside.",
        ),
    ]
    if any(row["starts"] for row in rows):
        found.append(
            (
                "shared starts",
                "runs that start from one fine-tuned run share its luck, and seeds do not show how much that is.",
            )
        )
    found.append(
        (
            "in no interval",
            "another pretraining run: all runs of a model start from its one checkpoint. Rare failures: seeds that did "
            "not fail say little of how often others would.",
        )
    )
    if report["judged_by_majority"]:
        found.append(
            (
                "earlier results",
                f"{report['judged_by_majority']} runs were made by an earlier version, which compared them with the "
                "commonest answer of training only: some may be failed runs all the same. Run them again to know.",
            )
        )
    return found
