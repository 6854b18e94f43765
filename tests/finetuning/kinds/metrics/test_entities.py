"""Entities of a sentence, and their sums against seqeval's own over all sentences."""

import numpy as np

from finetuning.kinds.metrics.definitions import entity_scores
from finetuning.kinds.metrics.entities import best_constant_tags, entities, sentence_counts

GOLD = [["B-PER", "I-PER", "O"], ["B-LOC"], ["O", "O"], ["B-NP", "I-NP", "B-NP"]]
GIVEN = [["B-PER", "O", "O"], ["B-LOC"], ["B-LOC", "O"], ["B-NP", "I-NP", "I-NP"]]


def test_entities_are_type_and_both_ends() -> None:
    assert entities(GOLD[3]) == {("NP", 0, 1), ("NP", 2, 2)}


def test_counts_of_sentences_add_up_to_the_scores() -> None:
    counts = sentence_counts(GOLD, GIVEN)
    assert counts.tolist() == [[0, 1, 1, 2, 3], [1, 1, 1, 1, 1], [0, 1, 0, 1, 2], [0, 1, 2, 2, 3]]
    correct, given, wanted, same, words = counts.sum(0)
    scores = entity_scores(GOLD, GIVEN)
    figures = [correct / given, correct / wanted, same / words]
    assert np.allclose(figures, [scores[name] for name in ("entity_precision", "entity_recall", "accuracy")])


def test_the_best_constant_tags_are_the_commonest_and_those_that_find_entities() -> None:
    tags = [["O", "O", "B-LOC"], ["B-LOC"], ["O", "B-PER", "I-PER"]]
    assert best_constant_tags(tags) == ["O", "B-LOC"]
    # One of three sentences is an entity as a whole.
    assert "I-PER" in best_constant_tags([["B-PER", "I-PER"], ["O", "O", "O"], ["O", "O"]])
    assert best_constant_tags([[], []]) == []
