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


def conlleval(gold: list[list[str]], predicted: list[list[str]]) -> tuple[int, int, int]:
    """Right, gold and found entities as the shared task's script counts them: word by word, in one pass.

    A blank line counts as a word outside. An entity is right when it begins and ends where a gold one of its type does.
    """
    right = in_gold = in_predicted = 0
    open_together, previous = False, ("O", "O")

    def begins(last: str, tag: str) -> bool:
        return tag != "O" and (tag[0] == "B" or last == "O" or last[2:] != tag[2:])

    def ends(last: str, tag: str) -> bool:
        return last != "O" and (tag == "O" or tag[0] == "B" or last[2:] != tag[2:])

    for tags in itertools.chain.from_iterable(
        [*zip(a, b, strict=True), ("O", "O")] for a, b in zip(gold, predicted, strict=True)
    ):
        ended = [ends(last, tag) for last, tag in zip(previous, tags, strict=True)]
        begun = [begins(last, tag) for last, tag in zip(previous, tags, strict=True)]
        if open_together and any(ended):
            right += all(ended)
            open_together = False
        if all(begun) and tags[0][2:] == tags[1][2:]:
            open_together = True
        in_gold, in_predicted, previous = in_gold + begun[0], in_predicted + begun[1], tags
    return right, in_gold, in_predicted


@pytest.mark.parametrize("seed", range(8))
def test_entities_are_counted_as_conlleval_counts_them(seed: int) -> None:
    """On any sequence of tags, also those that no scheme writes, over many sentences."""
    draw = random.Random(seed)
    kinds = ["O", "B-PER", "I-PER", "B-LOC", "I-LOC", "I-MISC"]
    gold = [[draw.choice(kinds) for _ in range(draw.randrange(1, 6))] for _ in range(60)]
    predicted = [[tag if draw.random() < 0.7 else draw.choice(kinds) for tag in tags] for tags in gold]
    right, in_gold, in_predicted = conlleval(gold, predicted)
    scores = metrics.entity_scores(gold, predicted)
    assert scores["entity_precision"] == pytest.approx(right / in_predicted)
    assert scores["entity_recall"] == pytest.approx(right / in_gold)
    assert scores["entity_f1"] == pytest.approx(2 * right / (in_gold + in_predicted))


def test_an_entity_ends_with_its_sentence() -> None:
    """The tags run on over the border: two entities of which one is found, not one that is."""
    scores = metrics.entity_scores([["B-PER"], ["I-PER", "O"]], [["B-PER"], ["O", "O"]])
    assert (scores["entity_precision"], scores["entity_recall"]) == (1.0, 0.5)


def test_two_rows_correlate_and_two_classes_agree() -> None:
    assert metrics.pearson([1.0, 2.0], [5.0, 3.0]) == pytest.approx(-1.0)
    assert metrics.spearman([1.0, 2.0], [3.0, 9.0]) == pytest.approx(1.0)
    assert metrics.matthews_correlation(["1", "0"], ["1", "0"]) == pytest.approx(1.0)
    assert metrics.matthews_correlation(["1", "0"], ["0", "1"]) == pytest.approx(-1.0)
    assert metrics.matthews_correlation(["1"], ["1"]) == 0.0


def test_a_class_that_nobody_named_scores_zero_without_a_word(recwarn: pytest.WarningsRecorder) -> None:
    assert metrics.f1(["0", "0"], ["0", "0"], "1") == 0.0
    assert metrics.macro_f1(["0", "1", "2"], ["0", "0", "0"]) == pytest.approx(0.5 / 3)
    assert metrics.pearson([1.0, 2.0], [3.0, 3.0]) == 0.0
    assert not recwarn.list


def test_sentences_without_entities_score_zero_without_a_word(recwarn: pytest.WarningsRecorder) -> None:
    nothing = {"entity_f1": 0.0, "entity_precision": 0.0, "entity_recall": 0.0}
    assert metrics.entity_scores([["O", "O"]], [["O", "O"]]) == {**nothing, "accuracy": 1.0}
    assert metrics.entity_scores([["B-PER"]], [["O"]]) == {**nothing, "accuracy": 0.0}
    assert metrics.entity_scores([[]], [[]]) == {**nothing, "accuracy": 0.0}
    assert metrics.entity_scores([["NN", "DT"]], [["NN", "NN"]])["accuracy"] == 0.5
    assert not recwarn.list


def test_metrics_are_known_by_these_names() -> None:
    gold, predicted = ["a", "b", "b"], ["b", "b", "b"]
    scores = {name: metric(gold, predicted, "b") for name, metric in metrics.CLASS_METRICS.items()}
    assert scores == {
        "accuracy": pytest.approx(2 / 3),
        "f1": pytest.approx(0.8),
        "macro_f1": pytest.approx(0.4),
        "matthews_correlation": 0.0,
    }
    numbers = {name: metric([1.0, 2.0, 4.0], [1.0, 2.0, 3.0]) for name, metric in metrics.NUMBER_METRICS.items()}
    assert numbers == {
        "pearson": pytest.approx(0.9819805),
        "spearman": pytest.approx(1.0),
        "mean_squared_error": pytest.approx(1 / 3),
    }
    assert set(metrics.LOWER_IS_BETTER) == {"mean_squared_error"}
