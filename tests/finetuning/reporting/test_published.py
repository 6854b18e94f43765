"""The paper's figures and settings, against a second copy of them.

Typed from Devlin et al. 2019 (arXiv:1810.04805v2) for this test, table by table in the order of the paper, and not from
the code: a slip in one of the two shows.
"""

import tomllib
from pathlib import Path
from typing import Any

import pytest

from finetuning.kinds.loading import kind_of, load_task
from finetuning.reporting import published
from finetuning.run.specification import RunSpec
from finetuning.sweeps.config import SweepConfig
from pretraining.model.config import BertConfig

# Table 1: GLUE test results. F1 for QQP and MRPC, Spearman for STS-B, Matthews for CoLA, accuracy for others.
TABLE_1_COLUMNS = ("mnli", "mnli mismatched", "qqp", "qnli", "sst2", "cola", "stsb", "mrpc", "rte")
TABLE_1 = {
    "Base": (84.6, 83.4, 71.2, 90.5, 93.5, 52.1, 85.8, 88.9, 66.4),
    "Large": (86.7, 85.9, 72.1, 92.7, 94.9, 60.5, 86.5, 89.3, 70.1),
}
TABLE_1_AVERAGE = {"Base": 79.6, "Large": 82.1}
METRICS = {"qqp": "f1", "mrpc": "f1", "stsb": "spearman", "cola": "matthews_correlation"}
# Tables 2 and 3: SQuAD 1.1 and 2.0, single models without TriviaQA. (exact match, F1)
TABLE_2_DEV = {"Base": (80.8, 88.5), "Large": (84.1, 90.9)}
TABLE_3_DEV, TABLE_3_TEST = {"Large": (78.7, 81.9)}, {"Large": (80.0, 83.1)}
# Table 4: SWAG accuracies.
TABLE_4_DEV, TABLE_4_TEST = {"Base": 81.6, "Large": 86.6}, {"Large": 86.3}
# Table 5: BERT-Base on dev, accuracies and SQuAD's F1.
TABLE_5 = {"mnli": 84.4, "qnli": 88.4, "mrpc": 86.7, "sst2": 92.7, "squad1": 88.5}
# Table 6: dev accuracies of 12 layers of 768, and of 24 of 1024.
TABLE_6 = {"mnli": (84.4, 86.6), "mrpc": (86.7, 87.8), "sst2": (92.9, 93.7)}
# Table 7: CoNLL-2003 F1. (dev, test)
TABLE_7 = {"Base": (96.4, 92.4), "Large": (96.6, 92.8)}


def figures() -> dict[tuple[str, str, str, str, int], float]:
    """(task, size, split, metric, table) → percent, all that the tables above say."""
    found: dict[tuple[str, str, str, str, int], float] = {}
    for size, row in TABLE_1.items():
        for column, percent in zip(TABLE_1_COLUMNS, row, strict=True):
            task, _, mismatched = column.partition(" ")
            metric = METRICS.get(task, "accuracy")
            found[task, size, "test", f"{mismatched} {metric}".strip(), 1] = percent
    pairs = [("squad1", "dev", TABLE_2_DEV, 2), ("squad2", "dev", TABLE_3_DEV, 3), ("squad2", "test", TABLE_3_TEST, 3)]
    for task, split, sizes, table in pairs:
        for size, (exact, f1) in sizes.items():
            found[task, size, split, "exact_match", table], found[task, size, split, "f1", table] = exact, f1
    found |= {("swag", size, "dev", "accuracy", 4): percent for size, percent in TABLE_4_DEV.items()}
    found |= {("swag", size, "test", "accuracy", 4): percent for size, percent in TABLE_4_TEST.items()}
    for task, percent in TABLE_5.items():
        found[task, "Base", "dev", "f1" if task == "squad1" else "accuracy", 5] = percent
    for task, (base, large) in TABLE_6.items():
        found[task, "Base", "dev", "accuracy", 6], found[task, "Large", "dev", "accuracy", 6] = base, large
    for size, row in TABLE_7.items():
        for split, percent in zip(("dev", "test"), row, strict=True):
            found["conll2003", size, split, "entity_f1", 7] = percent
    return found


def figures_of_the_code() -> dict[tuple[str, str, str, str, int], float]:
    return {
        # SQuAD 2.0's F1 in the paper is that of the best threshold.
        (task, item.size, item.split, item.metric.removeprefix("best_"), item.table): item.percent
        for task, items in published.PUBLISHED.items()
        for item in items
        if getattr(item, "source", published.CITATION) == published.CITATION
    }


def test_every_figure_is_the_papers() -> None:
    ours, theirs = figures_of_the_code(), figures()
    assert {key: value for key, value in ours.items() if theirs.get(key) != value} == {}


def test_no_figure_of_a_task_is_missing() -> None:
    """Of every table and split that the report has figures from; dev figures of table 5 that table 6 repeats aside."""
    ours = set(figures_of_the_code())
    wanted = {key for key in figures() if key[4] in (2, 4, 6, 7) and key[2] == "dev"}
    wanted |= {key for key in figures() if key[4] == 1 and not key[3].startswith("mismatched")}
    wanted |= {("qnli", "Base", "dev", "accuracy", 5), ("squad2", "Large", "dev", "f1", 3)}
    wanted |= {key for key in figures() if key[0] == "conll2003"}
    assert wanted - ours == set()


@pytest.mark.parametrize("size", ["Base", "Large"])
def test_the_second_copy_adds_up(size: str) -> None:
    """Table 1 has an average of its own, over all nine columns."""
    assert sum(TABLE_1[size]) / 9 == pytest.approx(TABLE_1_AVERAGE[size], abs=0.05)


def test_the_published_task_without_a_figure_has_none() -> None:
    assert published.published("wnli") == published.published("my-own") == ()


# Section 4.1: a batch of 32, 3 epochs, the best of 5e-5, 4e-5, 3e-5, 2e-5.
GLUE = {"learning_rates": (5e-5, 4e-5, 3e-5, 2e-5), "batch_sizes": (32,), "epochs": (3,)}
# Sections 4.2, 4.3 and 4.4.
SQUAD_1 = {"learning_rates": (5e-5,), "batch_sizes": (32,), "epochs": (3,)}
SQUAD_2 = {"learning_rates": (5e-5,), "batch_sizes": (48,), "epochs": (2,)}
SWAG = {"learning_rates": (2e-5,), "batch_sizes": (16,), "epochs": (3,)}
# Appendix A.3: "the following range of possible values to work well across all tasks".
APPENDIX = {"learning_rates": (5e-5, 3e-5, 2e-5), "batch_sizes": (16, 32), "epochs": (2, 3, 4)}
# Appendix A.2, which A.3 keeps but for rate, batch and epochs; dropout "always 0.1" (A.3).
ADAM = {"adam_beta1": 0.9, "adam_beta2": 0.999, "weight_decay": 0.01}


def grid(values: Any) -> dict[str, tuple[float, ...]]:
    return {name: tuple(values[name]) for name in GLUE}


def test_the_grids_of_a_sweep() -> None:
    paper, appendix, one = (
        SweepConfig(models={"a": "x"}, output="o", grid=name) for name in ("paper", "appendix", "one")
    )
    assert grid(paper.model_dump()) == GLUE
    assert grid(appendix.model_dump()) == APPENDIX
    assert paper.seeds == appendix.seeds == (1, 2, 3, 4, 5)
    assert SweepConfig(models={"a": "x"}, output="o") == one
    spec = RunSpec(task="cola", model="m", output=Path("o"))
    assert grid(one.model_dump()) == {
        "learning_rates": (spec.learning_rate,),
        "batch_sizes": (spec.batch_size,),
        "epochs": (spec.epochs,),
    }


def test_the_defaults_of_a_run() -> None:
    """Also what the paper does not say: the share of the warm-up and the norm at which gradients are clipped are of the
    released code, Adam's epsilon and bias correction torch's.
    """
    spec = RunSpec(task="cola", model="m", output=Path("o"))
    recipe = {**ADAM, "warmup_share": 0.1, "gradient_clip": 1.0, "adam_epsilon": 1e-8, "bias_correction": True}
    recipe |= {"learning_rate": 3e-5, "batch_size": 32, "epochs": 3.0, "dropout": None, "seed": 1}
    recipe |= {"group_by_length": False, "stop_failed_after": None}
    assert {name: getattr(spec, name) for name in recipe} == recipe
    chosen = {"learning_rates": spec.learning_rate, "batch_sizes": spec.batch_size, "epochs": spec.epochs}
    assert all(value in APPENDIX[name] for name, value in chosen.items())


def test_dropout_is_that_of_the_paper() -> None:
    """A.2: "a dropout probability of 0.1 on all layers"; a run leaves it as the model's configuration says."""
    config = BertConfig(vocab_size=100)
    assert config.hidden_dropout_prob == config.attention_probs_dropout_prob == 0.1


@pytest.mark.parametrize(
    ("name", "settings"),
    [("glue", GLUE), ("squad1", SQUAD_1), ("squad2", SQUAD_2), ("swag", SWAG), ("ner", APPENDIX)],
)
def test_recipes_of_the_paper(name: str, settings: dict[str, tuple[float, ...]], repository: Path) -> None:
    folder = repository / "finetuning" / "recipes" / "paper"
    assert grid(tomllib.loads((folder / f"{name}.toml").read_text(encoding="utf-8"))) == settings


# Table 7: CoNLL-2003 dev F1 of BERT-Base by the layers whose vectors a BiLSTM reads.
FEATURES = {
    "embeddings": 91.0,
    "second-to-last": 95.6,
    "last": 94.9,
    "weighted-sum-last-four": 95.9,
    "concat-last-four": 96.1,
    "weighted-sum-all": 95.5,
}


def test_figures_of_features() -> None:
    assert published.FEATURES == FEATURES


# What of a result a figure stands beside, where that is not the metric of its name on the main dev split.
OURS = {
    ("mnli", "test", "mismatched accuracy"): "dev_mismatched/accuracy",
    ("squad2", "dev", "exact_match"): "exact_match_at_best_f1",
    ("conll2003", "test", "entity_f1"): "test/entity_f1",
    ("goemotions", "test", "macro_f1"): "test/macro_f1",
}


def test_every_figure_stands_beside_a_metric_of_its_task() -> None:
    for name, items in published.PUBLISHED.items():
        task = load_task(name)
        known = {*kind_of(task).metrics, "exact_match_at_best_f1"}
        for item in items:
            split, _, metric = item.ours.rpartition("/")
            assert metric in known, (name, item)
            assert split in ("", *task.dev[1:]), (name, item)
            assert item.ours == OURS.get((name, item.split, item.metric), item.metric)


def test_only_goemotions_is_of_another_paper() -> None:
    """Table 4 of Demszky et al. 2020: BERT, macro average of F1 over the whole taxonomy."""
    others = [
        (name, item.size, item.split, item.metric, item.percent, item.table, item.source)
        for name, items in published.PUBLISHED.items()
        for item in items
        if item.source != published.CITATION
    ]
    source = "Demszky et al. 2020, arXiv:2005.00547v2"
    assert others == [("goemotions", "Base", "test", "macro_f1", 46.0, 4, source)]
    assert published.CITATION == "Devlin et al. 2019, arXiv:1810.04805v2"


def said(task: str, metrics: dict[str, float]) -> list[tuple[str, float, list[str]]]:
    """What stands beside each metric, in a line a figure."""
    return [
        (
            row["metric"],
            row["score"],
            [f"{item['size']} {item['split']} {item['percent']}, table {item['table']}" for item in row["published"]],
        )
        for row in published.beside(task, metrics)
    ]


def test_every_metric_has_the_figures_that_compare_with_it() -> None:
    assert said("mnli", {"dev_mismatched/accuracy": 0.832, "accuracy": 0.841, "f1": 0.8}) == [
        ("dev_mismatched/accuracy", 0.832, ["Base test 83.4, table 1", "Large test 85.9, table 1"]),
        (
            "accuracy",
            0.841,
            [
                "Base dev 84.4, table 6",
                "Large dev 86.6, table 6",
                "Base test 84.6, table 1",
                "Large test 86.7, table 1",
            ],
        ),
        ("f1", 0.8, []),
    ]
    of_squad = {"f1": 0.7, "exact_match": 0.6, "best_f1": 0.8, "best_f1_threshold": -1.25}
    assert said("squad2", of_squad | {"exact_match_at_best_f1": 0.78}) == [
        ("f1", 0.7, []),
        ("exact_match", 0.6, []),
        ("best_f1", 0.8, ["Large dev 81.9, table 3"]),
        ("best_f1_threshold", -1.25, []),
        ("exact_match_at_best_f1", 0.78, ["Large dev 78.7, table 3"]),
    ]


@pytest.mark.parametrize("layers", FEATURES)
def test_features_stand_beside_those_of_the_same_layers(layers: str) -> None:
    task = f"conll2003-features ({layers}, width 768, dropout 0.5)"
    expected = [f"Base dev {FEATURES[layers]}, table 7"]
    assert said(task, {"entity_f1": 0.95, "test/entity_f1": 0.91}) == [
        ("entity_f1", 0.95, expected),
        ("test/entity_f1", 0.91, []),
    ]


@pytest.mark.parametrize("task", ["conll2003-features (first, width 768)", "conll2003-features", "my conll2003"])
def test_features_of_other_layers_have_no_figure(task: str) -> None:
    assert published.published(task) == ()
