"""The official scorers of SQuAD 1.1 and 2.0, on the answers of models that were submitted and on made-up ones."""

import json
import random
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from finetuning.kinds.metrics.squad import best_threshold, normalise_answer, score_answers, split_scores
from finetuning.kinds.rows import SpanRow
from tests.peers.agreement import Agreement
from tests.peers.loading import load

pytestmark = pytest.mark.peer

FIRST = "allenai/bi-att-flow/squad/evaluate-v1.1.py"
SECOND = "rajpurkar/SQuAD-explorer"
MODELS = "rajpurkar/SQuAD-explorer/models"
Peer = Callable[[str], Path]
PARTS = ["The", "a", "an", "cat", "U.S.", "don't", "--", "  ", "5%", "the-end", "Anna", "“so”", "\n", "¿", "İ", "ß", ""]


def submitted(folder: Path) -> list[tuple[str, dict[str, str], dict[str, str]]]:
    """Two models each, in a ring: the answers of the one are to be found, the next one gave its own."""
    files = sorted(folder.glob("*.json"))
    assert len(files) > 1, f"{folder} has no answers of models"
    answers = [json.loads(file.read_text(encoding="utf-8")) for file in files]
    names = [file.stem.split(" (")[0] for file in files]
    places = [(place, (place + 1) % len(files)) for place in range(len(files))]
    return [(f"{names[right]} by {names[given]}", answers[right], answers[given]) for right, given in places]


def made_up(seed: int) -> tuple[dict[str, list[str]], dict[str, str]]:
    """Questions with none to three right answers, and an answer to each."""
    draw = random.Random(seed)

    def text() -> str:
        return " ".join(draw.choices(PARTS, k=draw.randrange(0, 5)))

    golds = {f"q{number}": [text() for _ in range(draw.randint(0, 3))] for number in range(40)}
    return golds, {name: draw.choice([*right, text()]) for name, right in golds.items()}


def cases(peer: Peer, version: str) -> Iterator[tuple[str, dict[str, list[str]], dict[str, str]]]:
    """Name, right answers by question, given answers; of 1.1 every question has a right answer."""
    for name, right, given in submitted(peer(f"{MODELS}/{version}")):
        asked = {key: [text] if text else [] for key, text in right.items() if key in given}
        yield name, {key: texts for key, texts in asked.items() if texts or version != "1.1"}, given
    for seed in range(200):
        golds, given = made_up(seed)
        yield f"seed {seed}", {key: texts for key, texts in golds.items() if texts or version != "1.1"}, given


def rows_of(golds: Mapping[str, list[str]]) -> list[SpanRow]:
    return [SpanRow(key, "", "", "", tuple((text, 0) for text in texts)) for key, texts in golds.items()]


def data_set(golds: Mapping[str, list[str]]) -> list[dict[str, Any]]:
    """The same questions as the scorers read them."""
    asked = [{"id": key, "answers": [{"text": text} for text in texts]} for key, texts in golds.items()]
    return [{"paragraphs": [{"qas": asked}]}]


def hundredfold(scores: Mapping[str, float], *names: str) -> list[float | None]:
    """Percentages, rounded where sums in another order may differ."""
    return [round(100 * scores[name], 9) if name in scores else None for name in names]


def test_scores_of_the_first_version(peer: Peer) -> None:
    theirs = load(peer(FIRST), "evaluate_1_1")
    agreement = Agreement("squad-1.1")
    for name, golds, given in cases(peer, "1.1"):
        found, each = score_answers(rows_of(golds), given)
        for key, texts in golds.items():
            expected = [
                float(theirs.metric_max_over_ground_truths(metric, given[key], texts))
                for metric in (theirs.exact_match_score, theirs.f1_score)
            ]
            exception = None if all(map(normalise_answer, texts)) else "answers-without-words"
            agreement.compare(f"{name}: {key}", each[key], tuple(expected), exception)
        if all(normalise_answer(text) for texts in golds.values() for text in texts):
            means = theirs.evaluate(data_set(golds), given)
            for score in ("exact_match", "f1"):
                agreement.compare(f"{name}: {score}", hundredfold(found, score), [round(means[score], 9)])
    agreement.hold()


def test_scores_of_the_second_version(peer: Peer) -> None:
    theirs = load(peer(f"{SECOND}/evaluate-v2.0.py"), "evaluate_2_0")
    agreement = Agreement("squad-2.0")
    for name, golds, given in cases(peer, "v2.0"):
        data = data_set(golds)
        exact, f1 = theirs.get_raw_scores(data, given)
        has_answer = theirs.make_qid_to_has_ans(data)
        expected = {f"{key}": value / 100 for key, value in theirs.make_eval_dict(exact, f1).items() if key != "total"}
        for part, wanted in (("HasAns", True), ("NoAns", False)):
            chosen = [key for key, has in has_answer.items() if has == wanted]
            if chosen:
                scores = theirs.make_eval_dict(exact, f1, chosen)
                expected |= {f"{part}_{key}": value / 100 for key, value in scores.items() if key != "total"}
        rows = rows_of(golds)
        found, each = score_answers(rows, given)
        found |= split_scores(rows, each)
        for ours, their in {
            "exact_match": "exact",
            "f1": "f1",
            "answerable_exact_match": "HasAns_exact",
            "answerable_f1": "HasAns_f1",
            "unanswerable_f1": "NoAns_f1",
        }.items():
            agreement.compare(f"{name}: {their}", hundredfold(found, ours), hundredfold(expected, their))
        for key in golds:
            agreement.compare(f"{name}: {key}", each[key], (float(exact[key]), float(f1[key])))
        draw = random.Random(name)
        odds = {key: draw.uniform(0.1, 5.0) for key in golds}
        for which, raw in enumerate((exact, f1)):
            score, threshold = theirs.find_best_thresh(given, raw, odds, has_answer)
            best = best_threshold(rows, each, given, odds, which)
            ours_and_theirs = (round(100 * best.score, 9), round(score, 9))
            agreement.compare(f"{name}: best score {which}", *ours_and_theirs)
            # Where no threshold is better than no answer at all, theirs stays at the 0 that it begins with.
            if threshold != 0.0:
                agreement.compare(f"{name}: threshold {which}", best.threshold, threshold)
    agreement.hold()


def test_normalised_texts(peer: Peer) -> None:
    first, second = load(peer(FIRST), "evaluate_1_1"), load(peer(f"{SECOND}/evaluate-v2.0.py"), "evaluate_2_0")
    texts = {text for seed in range(200) for texts in made_up(seed)[0].values() for text in texts}
    for version in ("1.1", "v2.0"):
        for _, right, given in submitted(peer(f"{MODELS}/{version}")):
            texts |= {*right.values(), *given.values()}
    agreement = Agreement("squad-normalised-texts")
    for text in sorted(texts):
        expected = first.normalize_answer(text)
        assert expected == second.normalize_answer(text)
        agreement.compare(repr(text), normalise_answer(text), expected)
    agreement.hold()
