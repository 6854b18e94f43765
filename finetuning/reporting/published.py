"""What the paper reports, to stand beside our own figures.

All figures: Devlin, Chang, Lee and Toutanova 2019, "BERT: Pre-training of Deep Bidirectional Transformers for Language
Understanding", NAACL (arXiv:1810.04805v2); the table is named with each. In percent, as printed. GLUE's test figures
come from its server and compare with dev scores in size only.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

CITATION = "Devlin et al. 2019, arXiv:1810.04805v2"


@dataclass(frozen=True, slots=True)
class Published:
    """One figure: for BERT-Base or BERT-Large, on dev or test, by the metric that the paper used."""

    size: Literal["Base", "Large"]
    split: Literal["dev", "test"]
    metric: str
    percent: float
    table: int


def _sizes(split: Literal["dev", "test"], metric: str, base: float, large: float, table: int) -> tuple[Published, ...]:
    return Published("Base", split, metric, base, table), Published("Large", split, metric, large, table)


PUBLISHED: dict[str, tuple[Published, ...]] = {
    "mnli": _sizes("dev", "accuracy", 84.4, 86.6, 6) + _sizes("test", "accuracy", 84.6, 86.7, 1),
    "qqp": _sizes("test", "f1", 71.2, 72.1, 1),
    "qnli": (Published("Base", "dev", "accuracy", 88.4, 5), *_sizes("test", "accuracy", 90.5, 92.7, 1)),
    "sst2": _sizes("dev", "accuracy", 92.9, 93.7, 6) + _sizes("test", "accuracy", 93.5, 94.9, 1),
    "cola": _sizes("test", "matthews_correlation", 52.1, 60.5, 1),
    "stsb": _sizes("test", "spearman", 85.8, 86.5, 1),
    "mrpc": _sizes("dev", "accuracy", 86.7, 87.8, 6) + _sizes("test", "f1", 88.9, 89.3, 1),
    "rte": _sizes("test", "accuracy", 66.4, 70.1, 1),
    "squad1": _sizes("dev", "f1", 88.5, 90.9, 2) + _sizes("dev", "exact_match", 80.8, 84.1, 2),
    "squad2": (Published("Large", "dev", "f1", 81.9, 3), Published("Large", "dev", "exact_match", 78.7, 3)),
    "swag": _sizes("dev", "accuracy", 81.6, 86.6, 4),
    "conll2003": _sizes("dev", "entity_f1", 96.4, 96.6, 7) + _sizes("test", "entity_f1", 92.4, 92.8, 7),
}
"""By task. Tables 6 and 7 are means of five restarts."""


def published(task: str) -> tuple[Published, ...]:
    """The paper's figures for a task; none for a task that it does not report (WNLI, AX, a user's own)."""
    return PUBLISHED.get(task, ())
