"""How long a sequence may be: asked for, usual, or what the model has."""

import pytest

from finetuning.errors import FinetuningError
from finetuning.run.length import max_length


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
