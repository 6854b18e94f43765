"""How long a sequence may be: asked for, usual, or what the model has."""

import logging
from dataclasses import replace

import pytest

from finetuning.errors import FinetuningError
from finetuning.kinds.encoding.truncation import Truncation
from finetuning.run.length import log_truncation, max_length


def test_what_is_asked_for_or_usual() -> None:
    assert max_length(None, 128, 512, "cola") == (128, ())
    assert max_length(512, 128, 512, "cola") == (512, ())
    assert max_length(8, 128, 512, "cola") == (8, ())


def test_a_model_of_fewer_positions_than_usual_is_noted() -> None:
    length, notes = max_length(None, 384, 128, "squad1")
    assert length == 128
    assert notes == ("max_length is 128, the positions of the model, not the 384 of squad1",)


@pytest.mark.parametrize(
    ("asked", "says"), [(513, "more than the model's 512 positions; pass --max-length 512"), (7, "at least 8")]
)
def test_what_cannot_be(asked: int, says: str) -> None:
    with pytest.raises(FinetuningError, match=f"--max-length {asked}.* {says}"):
        max_length(asked, 128, 512, "cola")


def test_a_model_of_exactly_the_usual_positions_needs_no_note() -> None:
    assert max_length(None, 128, 128, "cola") == (128, ())


def test_what_was_cut_is_logged_and_what_is_much_is_handed_back(caplog: pytest.LogCaptureFixture) -> None:
    little = Truncation(1000, 1, 0.001, 9000, 5, 200, 128)
    much = replace(little, truncated_rows=500, truncated_share=0.5)
    with caplog.at_level(logging.INFO, logger="finetuning.run.length"):
        warnings = log_truncation({"train": much, "dev": little, "test": much})
    assert [record.getMessage() for record in caplog.records] == [
        much.line("train"),
        little.line("dev"),
        much.line("test"),
    ]
    assert {record.name for record in caplog.records} == {"finetuning.run.length"}
    assert warnings == (*much.warnings("train"), *much.warnings("test"))
    assert len(warnings) == 2
