"""What does not fit is counted, for every kind; and what is more than a small share is warned of."""

from dataclasses import replace
from typing import Any

import pytest

from finetuning.kinds.encoding.truncation import Truncation, together
from finetuning.kinds.loading import kind_of, load_task
from finetuning.kinds.rows import ChoiceRow, Row, SpanRow, TextRow, TokenRow
from finetuning.kinds.scoring import decode
from preprocessing.tokens.tokenizer import Tokenizer

LABELS = ("0", "1")


def cut(task: str, rows: list[Row], tokenizer: Tokenizer, length: int, labels: tuple[str, ...] = (), **changes: Any):
    loaded = load_task(task).model_copy(update=changes)
    return kind_of(loaded).encode(loaded, rows, tokenizer, labels, length).cut


def text(a: str, b: str | None = None, label: str = "0") -> TextRow:
    return TextRow("i", "p", a, b, label)


def test_one_text(tokenizer: Tokenizer) -> None:
    rows: list[Row] = [text("the cat sat"), text("the " * 6), text("the " * 7), text("the " * 20), text(" \u200d ")]
    found = cut("cola", rows, tokenizer, 8, LABELS)
    assert found.lost_r.tolist() == [0, 0, 1, 14, 0]
    counts = found.counts
    assert (counts.rows, counts.truncated_rows, counts.truncated_share) == (5, 2, 0.4)
    assert (counts.tokens, counts.lost_tokens, counts.longest) == (36, 15, 22)
    assert (counts.limit, counts.limit_name, counts.empty_rows) == (8, "max_length", 1)
    # At the longest nothing is cut, and one below something is.
    assert cut("cola", rows, tokenizer, 22, LABELS).counts.lost_tokens == 0
    assert cut("cola", rows, tokenizer, 21, LABELS).counts.lost_tokens == 1


def test_two_texts(tokenizer: Tokenizer) -> None:
    rows: list[Row] = [text("the cat", "he ran"), text("the " * 5, "he " * 4), text("the", " ")]
    found = cut("mrpc", rows, tokenizer, 8, LABELS)
    assert found.lost_r.tolist() == [0, 4, 0]
    assert (found.counts.tokens, found.counts.longest, found.counts.empty_rows) == (14, 12, 1)


def test_a_choice_counts_as_one_row(tokenizer: Tokenizer) -> None:
    rows: list[Row] = [
        ChoiceRow("i", "p", "the cat", "he", ("ran", "sat " * 9, "is", "was " * 9), 0),
        ChoiceRow("j", "p", "the cat", "he", ("ran", "sat", "is", "was"), 0),
    ]
    found = cut("swag", rows, tokenizer, 12)
    assert found.lost_r.tolist() == [6, 0]
    assert (found.counts.rows, found.counts.truncated_rows, found.counts.longest) == (2, 1, 15)
    empty: list[Row] = [ChoiceRow("i", "p", " ", "", ("", " ", "is", "was"), 0)]
    assert cut("swag", empty, tokenizer, 12).counts.empty_rows == 1, "however many of its endings are empty"


def test_words_lose_nothing_but_the_end_of_long_ones(tokenizer: Tokenizer) -> None:
    rows: list[Row] = [
        TokenRow("i", "p", ("the", "cat") * 5, ("O",) * 10),
        TokenRow("j", "p", ("xyzxyzxyz", "\u200d", "cat"), ("O", "B-LOC", "O")),
        TokenRow("k", "p", (), ()),
    ]
    found = cut("conll2003", rows, tokenizer, 8, ("O", "B-LOC"))
    counts = found.counts
    assert found.lost_r.tolist() == [0, 3, 0]
    assert (counts.rows_in_parts, counts.words_without_tokens, counts.empty_rows) == (2, 1, 1)
    assert (counts.tokens, counts.lost_tokens, counts.longest) == (20, 3, 12)


def test_spans_count_cut_questions_and_answers_that_no_window_holds(tokenizer: Tokenizer) -> None:
    context = "the cat sat on the mat near the house " * 2
    rows: list[Row] = [
        SpanRow("a", "p", "where is the cat", context, (("mat", context.index("mat")),)),
        SpanRow("b", "p", "where is it", context, ((context[:60], 0),)),
        SpanRow("c", "p", "is it", "the cat", ()),
        SpanRow("d", "p", "\u200d", "the cat", ()),
    ]
    found = cut("squad2", rows, tokenizer, 14, max_query_length=3, document_stride=4)
    counts = found.counts
    assert found.lost_r.tolist() == [1, 0, 0, 0]
    assert (counts.limit, counts.limit_name, counts.longest) == (3, "max_query_length", 4)
    assert (counts.rows_in_parts, counts.unreached_answers, counts.empty_rows) == (2, 1, 1)


@pytest.mark.parametrize(("longest", "count"), [(3, 1), (4, 0)])
def test_answers_that_are_too_long_to_be_given_are_counted(tokenizer: Tokenizer, longest: int, count: int) -> None:
    rows: list[Row] = [
        SpanRow("a", "p", "who", "the cat sat on the mat", (("the cat sat on", 0),)),
        SpanRow("b", "p", "who", "the cat sat on the mat", (("the cat sat", 0),)),
    ]
    found = cut("squad1", rows, tokenizer, 16, max_query_length=4, max_answer_length=longest)
    assert found.counts.too_long_answers == count


def test_unknown_tokens_are_counted(tokenizer: Tokenizer) -> None:
    assert cut("cola", [text("the 猫 sat"), text("犬 犬")], tokenizer, 16, LABELS).counts.unknown_tokens == 3
    rows: list[Row] = [SpanRow(n, "p", "犬 is", "the 猫 sat", ()) for n in "ab"]
    assert cut("squad2", rows, tokenizer, 16, max_query_length=4).counts.unknown_tokens == 4


def test_an_answer_says_what_its_row_lost(tokenizer: Tokenizer) -> None:
    import numpy as np

    task, rows = load_task("cola"), [text("the cat"), text("the " * 9), text("it")]
    split = kind_of(task).encode(task, rows, tokenizer, LABELS, 8)
    assert [a.lost_tokens for a in decode(task, LABELS, rows, split, np.zeros((3, 2), np.float32))] == [0, 3, 0]


NOTHING = Truncation(1000, 0, 0.0, 9000, 0, 30, 128)


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({}, None),
        ({"truncated_rows": 10, "truncated_share": 0.01, "lost_tokens": 99}, None),
        (
            {"truncated_rows": 11, "truncated_share": 0.011, "lost_tokens": 99, "longest": 300},
            "dev: 11 of 1000 rows (1.1 %) are cut at max_length 128, 99 of 9000 tokens lost, the longest has 300; "
            "pass a larger --max-length to keep more",
        ),
        (
            {"truncated_rows": 20, "truncated_share": 0.02, "limit": 64, "limit_name": "max_query_length"},
            "dev: 20 of 1000 rows (2 %) are cut at max_query_length 64, 0 of 9000 tokens lost, the longest has 30; "
            "raise max_query_length to keep more",
        ),
        ({"unreached_answers": 11}, "dev: 11 of 1000 answers lie whole in no window"),
        ({"too_long_answers": 11}, "dev: 11 of 1000 answers are longer than max_answer_length and can never be given"),
        ({"empty_rows": 11}, "dev: 11 of 1000 rows have a text without tokens"),
        ({"unknown_tokens": 901}, "dev: 901 of 9000 tokens are [UNK]"),
    ],
)
def test_warnings(changes: dict[str, Any], says: str | None) -> None:
    warnings = replace(NOTHING, **changes).warnings("dev")
    assert len(warnings) == (says is not None)
    assert says is None or warnings[0].startswith(says)


def test_the_line_of_the_log_has_every_count() -> None:
    assert NOTHING.line("dev") == "dev: none of 1000 rows is cut at max_length 128; the longest has 30 tokens"
    counts = replace(NOTHING, truncated_rows=2, truncated_share=0.002, lost_tokens=5, rows_in_parts=7, empty_rows=3)
    counts = replace(counts, words_without_tokens=4, unreached_answers=6, too_long_answers=9, unknown_tokens=8)
    assert counts.line("dev") == (
        "dev: 2 of 1000 rows (0.2 %) are cut at max_length 128, 5 of 9000 tokens lost, the longest has 30; 7 rows are "
        "read in several sequences; 3 rows have a text without tokens; 4 words have no token and count as outside "
        "every entity; 6 answers lie whole in no window; 9 answers are longer than max_answer_length; 8 tokens "
        "are [UNK]"
    )


def test_parts_add_up(tokenizer: Tokenizer) -> None:
    rows: list[Row] = [text("the " * n) for n in range(12)]
    whole = cut("cola", rows, tokenizer, 8, LABELS).counts
    parts = [cut("cola", rows[low : low + 5], tokenizer, 8, LABELS).counts for low in (0, 5, 10)]
    assert together(parts) == whole


def test_a_small_share_is_not_warned_of() -> None:
    at_the_limit = {
        **{"truncated_rows": 10, "truncated_share": 0.01, "lost_tokens": 1000, "unreached_answers": 10},
        **{"too_long_answers": 10, "empty_rows": 10, "unknown_tokens": 800},
    }
    assert replace(NOTHING, **at_the_limit).warnings("dev") == ()
    more = at_the_limit | {"unreached_answers": 11, "too_long_answers": 11, "empty_rows": 11, "unknown_tokens": 801}
    said = replace(NOTHING, **more, closer_windows=1).warnings("dev")
    assert [line.removeprefix("dev: ").split(" of ")[0] for line in said] == ["11", "1", "11", "11", "801"]


@pytest.mark.parametrize(
    ("rows", "said"), [(1, "0.1 %"), (95, "9.5 %"), (99, "9.9 %"), (100, "10 %"), (999, "99 %"), (1000, "100 %")]
)
def test_a_share_is_rounded_down_to_what_is_all(rows: int, said: str) -> None:
    counts = replace(NOTHING, truncated_rows=rows, truncated_share=rows / 1000)
    assert f"{rows} of 1000 rows ({said}) are cut" in counts.line("dev")
