"""What a recipe's `[optimizer]` may say."""

from typing import Any, Literal

import pytest
from pydantic import ValidationError

from pretraining.optimization.options import OptimizerConfig, Section


def test_the_defaults_are_those_of_bert() -> None:
    assert OptimizerConfig().model_dump() == {
        "name": "adamw",
        "learning_rate": 1e-4,
        "beta1": 0.9,
        "beta2": 0.999,
        "epsilon": 1e-6,
        "weight_decay": 0.01,
        "bias_correction": True,
    }


@pytest.mark.parametrize(
    ("key", "allowed", "refused"),
    [
        ("learning_rate", (1e-12, 1.0), (0.9e-12, 1.1)),
        ("beta1", (0.0, 0.99999), (-0.1, 1.0)),
        ("beta2", (0.0, 0.99999), (-0.1, 1.0)),
        ("epsilon", (1e-30, 1.0), (0.9e-30, 1.1)),
        ("weight_decay", (0.0, 1.0), (-0.1, 1.1)),
    ],
)
def test_numbers_have_limits(key: str, allowed: tuple[float, ...], refused: tuple[float, ...]) -> None:
    for value in allowed:
        assert getattr(OptimizerConfig(**{key: value}), key) == value  # type: ignore[arg-type]
    for value in refused:
        with pytest.raises(ValidationError, match=key):
            OptimizerConfig(**{key: value})  # type: ignore[arg-type]


class Table(Section):
    """A table with every shape of key."""

    switch: bool = False
    either: bool | Literal["auto"] = "auto"
    word: Literal["true", "false"] = "true"
    rate: float = 0.5
    rates: tuple[float, ...] = ()
    names: list[Any] = []  # noqa: RUF012
    """A default of pydantic, copied for each table."""


@pytest.mark.parametrize("settings", [{"switch": True}, {"word": "false"}, {"rates": [1, 2.5]}, {"rate": 1}])
def test_what_belongs_there_is_taken(settings: dict[str, Any]) -> None:
    assert Table(**settings).model_dump(include=set(settings)) == {
        key: tuple(value) if isinstance(value, list) else value for key, value in settings.items()
    }


@pytest.mark.parametrize(
    "settings",
    [
        {"rate": True},
        {"rates": [1.0, False]},
        {"rates": (True,)},
        {"names": [False]},
        {"either": True},
    ],
)
def test_a_switch_is_no_number(settings: dict[str, Any]) -> None:
    with pytest.raises(ValidationError, match="true and false are for switches, and this is none"):
        Table(**settings)


def test_a_word_that_is_spelt_as_a_switch_is_no_number() -> None:
    with pytest.raises(ValidationError, match="Input should be 'true' or 'false'"):
        Table(word=True)  # type: ignore[arg-type]


@pytest.mark.parametrize("number", [float("inf"), float("nan")])
def test_what_is_no_number_is_refused(number: float) -> None:
    with pytest.raises(ValidationError, match="rate"):
        Table(rate=number)


def test_a_table_is_frozen_and_refuses_keys_it_does_not_know() -> None:
    table = Table()
    with pytest.raises(ValidationError, match="frozen"):
        table.rate = 1.0
    with pytest.raises(ValidationError, match="ratte"):
        Table(ratte=1.0)  # type: ignore[call-arg]


def test_the_text_below_a_key_is_its_help() -> None:
    assert OptimizerConfig.model_fields["learning_rate"].description == "The schedule's peak."
