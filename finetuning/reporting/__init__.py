"""Finished runs → a report and submissions.

In: folders of sweeps and runs. Out: `report.html`, `report.md`, `report.json`, a GLUE zip, SQuAD's files. `gather` and
`missing` find the runs, `significance` and `error_analysis` say what they show, `content` puts it together as plain
data (scores are fractions), `page` and `plots` draw it, with the paper's figures (`published`) beside. Open first:
`content.py`.
"""

__all__ = ["content", "gather", "missing", "page", "significance", "submission"]
