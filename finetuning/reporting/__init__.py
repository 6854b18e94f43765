"""Finished runs → a report and submissions.

In: folders of sweeps and runs. Out: `report.html`, `report.md`, `report.json`, a GLUE zip, SQuAD's files. `gather` and
`missing` find the runs; `significance` (over seeds), `best_setting` (its choice), `sampling` (over dev rows too),
`comparison` (of checkpoints) and `error_analysis` say what they show; `content` puts it together as plain data (scores
are fractions), `page` and `plots` draw it, with the paper's figures (`published`) beside and an account of how each
figure came to be (`explanations`). Open first: `content.py`.
"""

__all__ = [
    "best_setting",
    "content",
    "gather",
    "missing",
    "page",
    "published",
    "sampling",
    "significance",
    "submission",
]
