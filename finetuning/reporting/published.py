"""What papers report, to stand beside our own figures.

BERT's figures: Devlin, Chang, Lee and Toutanova 2019, "BERT: Pre-training of Deep Bidirectional Transformers for
Language Understanding", NAACL (arXiv:1810.04805v2); the table is named with each. In percent, as printed. GLUE's test
figures come from its server and compare with dev scores in size only.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal

CITATION = "Devlin et al. 2019, arXiv:1810.04805v2"
GOEMOTIONS = "Demszky et al. 2020, arXiv:2005.00547v2"


@dataclass(frozen=True, slots=True)
class Published:
    """One figure: for BERT-Base or BERT-Large, on dev or test, by the metric that the paper used.

    `ours`: which of a result's metrics compares with it, on the same split where we can score that, else on dev.
    """

    size: Literal["Base", "Large"]
    split: Literal["dev", "test"]
    metric: str
    percent: float
    table: int
    ours: str = ""
    source: str = CITATION

    def __post_init__(self) -> None:
        """What is not said is the metric of the main dev split."""
        object.__setattr__(self, "ours", self.ours or self.metric)


def _sizes(
    split: Literal["dev", "test"], metric: str, base: float, large: float, table: int, ours: str = ""
) -> tuple[Published, ...]:
    return (
        Published("Base", split, metric, base, table, ours),
        Published("Large", split, metric, large, table, ours),
    )


PUBLISHED: dict[str, tuple[Published, ...]] = {
    "mnli": (
        *_sizes("dev", "accuracy", 84.4, 86.6, 6),
        *_sizes("test", "accuracy", 84.6, 86.7, 1),
        *_sizes("test", "mismatched accuracy", 83.4, 85.9, 1, "dev_mismatched/accuracy"),
    ),
    "qqp": _sizes("test", "f1", 71.2, 72.1, 1),
    "qnli": (Published("Base", "dev", "accuracy", 88.4, 5), *_sizes("test", "accuracy", 90.5, 92.7, 1)),
    "sst2": _sizes("dev", "accuracy", 92.9, 93.7, 6) + _sizes("test", "accuracy", 93.5, 94.9, 1),
    "cola": _sizes("test", "matthews_correlation", 52.1, 60.5, 1),
    "stsb": _sizes("test", "spearman", 85.8, 86.5, 1),
    "mrpc": _sizes("dev", "accuracy", 86.7, 87.8, 6) + _sizes("test", "f1", 88.9, 89.3, 1),
    "rte": _sizes("test", "accuracy", 66.4, 70.1, 1),
    "squad1": _sizes("dev", "f1", 88.5, 90.9, 2) + _sizes("dev", "exact_match", 80.8, 84.1, 2),
    # With the null threshold that is best for F1 on the dev set itself (section 4.3).
    "squad2": (
        Published("Large", "dev", "best_f1", 81.9, 3),
        Published("Large", "dev", "exact_match", 78.7, 3, "exact_match_at_best_f1"),
    ),
    "swag": (*_sizes("dev", "accuracy", 81.6, 86.6, 4), Published("Large", "test", "accuracy", 86.3, 4)),
    # With document context: `context = "document"`.
    "conll2003": (
        *_sizes("dev", "entity_f1", 96.4, 96.6, 7),
        *_sizes("test", "entity_f1", 92.4, 92.8, 7, "test/entity_f1"),
    ),
    "goemotions": (Published("Base", "test", "macro_f1", 46.0, 4, "test/macro_f1", GOEMOTIONS),),
}
"""By task. Tables 6 and 7 are means of five restarts. Those of SQuAD are single models without TriviaQA."""

FEATURES: dict[str, float] = {
    "embeddings": 91.0,
    "second-to-last": 95.6,
    "last": 94.9,
    "weighted-sum-last-four": 95.9,
    "concat-last-four": 96.1,
    "weighted-sum-all": 95.5,
}
"""Table 7, the feature-based approach with BERT-Base: dev F1 of CoNLL-2003 by the layers that a BiLSTM reads."""


def published(task: str) -> tuple[Published, ...]:
    """The published figures for a task; none for one that nobody reports (WNLI, AX, a user's own).

    A BiLSTM's result is of the task `conll2003-features (LAYERS, …)`.
    """
    if (match := re.match(r"conll2003-features \(([\w-]+),", task)) and match[1] in FEATURES:
        return (Published("Base", "dev", "entity_f1", FEATURES[match[1]], 7),)
    return PUBLISHED.get(task, ())


def beside(task: str, metrics: Mapping[str, float]) -> list[dict[str, Any]]:
    """Every metric of a result, in its order, with the published figures that it compares with (`published`)."""
    figures = published(task)
    return [
        {"metric": name, "score": value, "published": [asdict(figure) for figure in figures if figure.ours == name]}
        for name, value in metrics.items()
    ]
