import tomllib
from pathlib import Path

import pytest
from site_pages import recipe_keys

from pretraining.configuration.recipe import recipe_parser

KEYS = {key.name: key for key in recipe_keys.all_keys()}


def test_the_keys_are_those_of_the_command() -> None:
    assert {*KEYS} == {key.replace("from_", "from") for key in recipe_parser("", "").keys}


def test_the_keys_of_every_recipe_are_there(repository: Path) -> None:
    for recipe in sorted((repository / "pretraining" / "recipes").glob("*.toml")):
        for table, values in tomllib.loads(recipe.read_text(encoding="utf-8")).items():
            for key in values:
                assert table == "deepspeed" or f"{table}.{key}" in KEYS, (recipe.name, table, key)


def test_what_takes_a_number_has_a_unit_and_nothing_else_has() -> None:
    assert [key.name for key in KEYS.values() if key.is_number != bool(key.unit)] == []
    assert [name for names in recipe_keys.UNITS.values() for name in names if name not in KEYS] == []


def test_every_key_has_a_meaning() -> None:
    assert [key.name for key in KEYS.values() if not key.meaning] == []


@pytest.mark.parametrize(
    ("name", "takes", "limits", "default", "unit"),
    [
        ("training.steps", "integer", "≥\u00a01, ≤\u00a01,000,000,000", "", "steps"),
        ("training.micro_batch_size", 'integer or "auto"', "", "", "sequences"),
        ("training.stop_at", "integer", "≥\u00a01, ≤\u00a01,000,000,000", "left out", "steps"),
        ("model.hidden_dropout_prob", "number", "≥\u00a00, ≤\u00a00.9", "left out", "probability"),
        ("optimizer.beta1", "number", "≥\u00a00, <\u00a01", "0.9", "1"),
        ("optimizer.name", '"adamw", "lamb"', "", '"adamw"', ""),
        ("checkpoint.resume", "true or false", "", "true", ""),
        ("checkpoint.allow", "list of texts", "", "left out", ""),
        ("data.weights", "list of numbers", "", "left out", "passes"),
        ("init.from", "text", "", "left out", ""),
    ],
)
def test_a_key(name: str, takes: str, limits: str, default: str, unit: str) -> None:
    key = KEYS[name]
    assert (key.takes, key.limits, key.default, key.unit) == (takes, limits, default, unit)


def test_the_page_has_a_table_for_each_table_of_a_recipe() -> None:
    page = recipe_keys.page()
    assert [line[4:-1] for line in page.splitlines() if line.startswith("## ")] == [
        f"[{name}]" for name in dict.fromkeys(key.partition(".")[0] for key in KEYS)
    ]
    assert "| `training.steps` | integer, ≥\u00a01, ≤\u00a01,000,000,000 | required | steps | " in page
