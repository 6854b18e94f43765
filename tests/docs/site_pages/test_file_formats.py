import dataclasses
from typing import Any

import pytest
from pydantic import BaseModel
from site_pages import file_formats
from site_pages.class_fields import declared

from finetuning.run.result import Result
from preprocessing.shards import Manifest


def test_the_columns_of_a_shard() -> None:
    assert {field.name: str(field.type) for field in file_formats.shard_schema()} == {
        "input_ids": "list<item: uint16>",
        "segment_b_start": "uint16",
        "masked_positions": "list<item: uint16>",
        "masked_labels": "list<item: uint16>",
        "is_random_next": "bool",
        "document_a": "uint32",
        "document_b": "uint32",
    }


@pytest.mark.parametrize("model", [model for _, model in file_formats.MODELS], ids=lambda model: model.__name__)
def test_every_key_is_there_with_a_meaning(model: type[Any]) -> None:
    found = declared(model)
    names = model.model_fields if issubclass(model, BaseModel) else [one.name for one in dataclasses.fields(model)]
    assert set(found) == set(names)
    assert [name for name, field in found.items() if not field.meaning] == []


def test_the_page() -> None:
    page = file_formats.page()
    assert "## `manifest.json` of a folder of shards" in page
    assert "| `masked_positions` | `list<item: uint16>` |" in page
    assert "| `score` | `float` | always there | The main metric on" in page
    assert "| `diverged` | `bool` | `false` |" in page
    assert "| `constant_score` | `float | None` | `null` |" in page
    rows = [line.split("`")[1] for line in file_formats.keys_of(Result).splitlines() if line.startswith("| `")]
    assert rows == list(Result.model_fields)


def test_what_stands_in_tables_is_no_key_of_the_manifest() -> None:
    text = file_formats.keys_of(Manifest)
    assert not [name for name in file_formats.IN_TABLES if f"| `{name}` |" in text]
    assert "| `tables` |" in text
