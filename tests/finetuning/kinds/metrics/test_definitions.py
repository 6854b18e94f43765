"""Each metric against an implementation written here from its definition, on random input."""

import itertools
import math
import random
from collections import Counter, defaultdict

import pytest

from finetuning.kinds.metrics import definitions as metrics


def drawn(seed: int, classes: list[str], count: int = 60) -> tuple[list[str], list[str]]:
    draw = random.Random(seed)
    gold = [draw.choice(classes) for _ in range(count)]
    return gold, [label if draw.random() < 0.6 else draw.choice(classes) for label in gold]


def own_f1(gold: list[str], predicted: list[str], positive: str) -> float:
    hits = sum(a == b == positive for a, b in zip(gold, predicted, strict=True))
    total = gold.count(positive) + predicted.count(positive)
    return 2 * hits / total if total else 0.0


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("classes", [["0", "1"], ["entailment", "neutral", "contradiction"]])
def test_class_metrics(seed: int, classes: list[str]) -> None:
    gold, predicted = drawn(seed, classes)
    count = len(gold)
    assert metrics.accuracy(gold, predicted) == pytest.approx(sum(map(str.__eq__, gold, predicted)) / count)
    assert metrics.f1(gold, predicted, "1") == pytest.approx(own_f1(gold, predicted, "1"))
    macro = sum(own_f1(gold, predicted, label) for label in classes) / len(classes)
    assert metrics.macro_f1(gold, predicted) == pytest.approx(macro)
    # Gorodkin's R_K: correlation of the two indicator matrices.
    truth, answers = Counter(gold), Counter(predicted)
    correct = sum(map(str.__eq__, gold, predicted))
    upper = correct * count - sum(truth[label] * answers[label] for label in classes)
    lower = math.sqrt(count**2 - sum(n * n for n in answers.values())) * math.sqrt(
        count**2 - sum(n * n for n in truth.values())
    )
    assert metrics.matthews_correlation(gold, predicted) == pytest.approx(upper / lower)


def ranks(values: list[float]) -> list[float]:
    places = defaultdict(list)
    for place, value in enumerate(sorted(values), 1):
        places[value].append(place)
    return [sum(places[value]) / len(places[value]) for value in values]


def correlation(a: list[float], b: list[float]) -> float:
    mean_a, mean_b = sum(a) / len(a), sum(b) / len(b)
    top = sum((x - mean_a) * (y - mean_b) for x, y in zip(a, b, strict=True))
    return top / math.sqrt(sum((x - mean_a) ** 2 for x in a) * sum((y - mean_b) ** 2 for y in b))


@pytest.mark.parametrize("seed", range(5))
def test_number_metrics(seed: int) -> None:
    draw = random.Random(seed)
    gold = [draw.randrange(0, 26) / 5 for _ in range(50)]  # many ties, as in STS-B
    predicted = [value + draw.gauss(0, 1) for value in gold]
    assert metrics.pearson(gold, predicted) == pytest.approx(correlation(gold, predicted))
    assert metrics.spearman(gold, predicted) == pytest.approx(correlation(ranks(gold), ranks(predicted)))
    squared = sum((a - b) ** 2 for a, b in zip(gold, predicted, strict=True)) / 50
    assert metrics.mean_squared_error(gold, predicted) == pytest.approx(squared)


def test_constant_answers_score_zero() -> None:
    assert metrics.pearson([1.0, 2.0], [3.0, 3.0]) == 0.0
    assert metrics.spearman([1.0, 2.0], [3.0, 3.0]) == 0.0
    assert metrics.spearman([1.0], [3.0]) == 0.0
    assert metrics.matthews_correlation(["1", "1", "0"], ["1", "1", "1"]) == 0.0
    assert metrics.matthews_correlation(["1", "1"], ["1", "1"]) == 0.0
    assert metrics.f1(["0", "0"], ["0", "0"], "1") == 0.0


def own_entities(tags: list[str]) -> set[tuple[str, int, int]]:
    """Entities by conlleval's rules: `B-` or a change of type begins one, a lone `I-` too."""
    found = set()
    for kind, group in itertools.groupby(enumerate(tags), key=lambda pair: pair[1][2:] if pair[1] != "O" else ""):
        members = list(group)
        if not kind:
            continue
        cuts = [0, *(n for n, (_, tag) in enumerate(members) if n and tag.startswith("B-")), len(members)]
        found |= {(kind, members[a][0], members[b - 1][0]) for a, b in itertools.pairwise(cuts)}
    return found


@pytest.mark.parametrize("seed", range(8))
def test_entity_scores(seed: int) -> None:
    draw = random.Random(seed)
    kinds = ["O", "O", "B-PER", "I-PER", "B-LOC", "I-LOC"]
    gold = [[draw.choice(kinds) for _ in range(draw.randrange(1, 12))] for _ in range(25)]
    predicted = [[tag if draw.random() < 0.7 else draw.choice(kinds) for tag in tags] for tags in gold]
    truth = {(n, *entity) for n, tags in enumerate(gold) for entity in own_entities(tags)}
    found = {(n, *entity) for n, tags in enumerate(predicted) for entity in own_entities(tags)}
    scores = metrics.entity_scores(gold, predicted)
    assert scores["entity_precision"] == pytest.approx(len(truth & found) / len(found))
    assert scores["entity_recall"] == pytest.approx(len(truth & found) / len(truth))
    assert scores["entity_f1"] == pytest.approx(2 * len(truth & found) / (len(truth) + len(found)))
    flat = list(zip(itertools.chain(*gold), itertools.chain(*predicted), strict=True))
    assert scores["accuracy"] == pytest.approx(sum(a == b for a, b in flat) / len(flat))
