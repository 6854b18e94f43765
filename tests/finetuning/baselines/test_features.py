"""What is read of a row, by hand."""

import numpy as np
import pytest

from finetuning.baselines.features import (
    Columns,
    Features,
    ending_features,
    hashed,
    pair_features,
    shape_of,
    text_features,
    window_features,
    words_of,
)


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("The CAT's  mat.", ["the", "cat", "'", "s", "mat", "."]),
        ("Ärger über 3,5", ["ärger", "über", "3", ",", "5"]),
        ("我们 ok去", ["我", "们", "ok", "去"]),
        (" \n ", []),
    ],
)
def test_words(text: str, words: list[str]) -> None:
    assert words_of(text) == words


def test_a_text_has_its_words_and_pairs_with_edges() -> None:
    assert set(text_features("A dog").names) == {"a", "dog", "\n a", "a dog", "dog \n"}
    assert set(text_features("").names) == {"\n \n"}


def test_two_texts_have_each_their_own_and_what_they_share() -> None:
    found = pair_features("the cat", "The cat sat down")
    assert {"a cat", "a the cat", "b cat", "b sat down", "both the", "both cat"} <= set(found.names)
    assert "both sat" not in found.names
    assert found.numbers == (1.0, 0.5)
    assert pair_features("", "").numbers == (0.0, 0.0)


def test_an_ending_has_its_words_those_of_its_context_and_where_they_meet() -> None:
    found = ending_features("She took the bread", "the bread fell")
    assert {"fell", "the bread", "both the", "both bread", "meet bread the"} <= set(found.names)
    assert "both fell" not in found.names
    assert found.numbers == (pytest.approx(2 / 3),)


def test_a_word_has_itself_its_ends_its_shape_and_its_neighbours() -> None:
    first, second, last = (set(found.names) for found in window_features(["In", "Paris", "1999"]))
    assert {"0 paris", "-1 in", "+1 1999", "ends ris", "begins pa", "as written Paris", "shape Xx"} <= second
    assert {"shape -1 Xx", "shape +1 d", "01 paris 1999", "-10 in paris", "-2 \n", "+2 \n"} <= second
    assert {"-1 \n", "+2 1999"} <= first
    assert {"+1 \n", "-2 in"} <= last


@pytest.mark.parametrize(
    ("word", "shape"), [("Paris", "Xx"), ("U.S.", "X.X."), ("1999", "d"), ("McGee", "XxXx"), ("", "")]
)
def test_shape(word: str, shape: str) -> None:
    assert shape_of(word) == shape


def test_columns_are_those_of_training_and_hold_ones_and_numbers() -> None:
    train = hashed([Features(["x", "x", "y"], (0.5,)), Features(["y"], (0.25,))])
    columns = Columns(train)
    table = columns.of(train).toarray()
    assert table.shape == (2, 3)
    assert sorted(table[0].tolist()) == [0.5, 1.0, 1.0]  # twice in a row is once
    assert sorted(table[1].tolist()) == [0.0, 0.25, 1.0]
    assert columns.of(hashed([Features(["never seen"], (0.75,))])).toarray().tolist() == [[0.0, 0.0, 0.75]]
    assert Columns(train, fewest=2).of(train).toarray().tolist() == [[1.0, 0.5], [1.0, 0.25]]
    assert columns.of(train[np.array([1])]).toarray().tolist() == [table[1].tolist()]
