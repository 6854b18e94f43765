from site_pages.class_fields import Declared, declared

from finetuning.kinds.encoding.truncation import Truncation
from preprocessing.examples.arrays import Examples
from preprocessing.shards import InputRecord, ShardRecord


def test_types_and_the_strings_below() -> None:
    found = declared(Examples)
    assert list(found)[:2] == ["token_offsets", "input_ids"]
    assert found["masked_labels"] == Declared("Array", "the original ids, of the type of input_ids")


def test_a_field_without_a_string_has_no_meaning_of_its_neighbour() -> None:
    found = declared(InputRecord)
    assert found["splits"] == Declared("int", "")
    assert [field.meaning for field in declared(ShardRecord).values()][-2:] == [
        "",
        "Tokens of an example, special tokens included → number of examples.",
    ]


def test_inherited_fields_and_constants_of_the_module() -> None:
    assert [*declared(ShardRecord)] == list(ShardRecord.model_fields)
    assert "limit_name" in declared(Truncation)
    assert "SMALL_SHARE" not in declared(Truncation)
