"""Values as words of a command line, read back by the same parser."""

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import BaseModel, Field

from preprocessing.arguments import OptionParser, add_models, build_model, flat_values, given_values, words_of
from preprocessing.errors import PreprocessingError


class Section(BaseModel):
    """A section."""

    rate: float = 0.1
    fast: bool = False


class Options(BaseModel):
    """Every sort of option."""

    name: str = ""
    files: tuple[str, ...] = ()
    tasks: tuple[str, ...] = Field((), json_schema_extra={"separator": ","})
    lengths: tuple[int, ...] = ()
    section: Section = Section()
    table: dict[str, Any] = Field(default_factory=dict)


def parser_of_options() -> OptionParser:
    parser = OptionParser("command", "What it does.")
    add_models(parser, (Options,), config="options")
    return parser


def there_and_back(table: dict[str, Any]) -> Options:
    parser = parser_of_options()
    words = words_of(flat_values(table, parser), parser)
    namespace = parser_of_options().parse_args(words)
    assert words_of(given_values(namespace, parser), parser) == words
    return build_model(Options, namespace)


TEXT = st.text(st.characters(codec="utf-8", exclude_characters="\0,"), min_size=1)
LEAVES = st.booleans() | st.integers(-(2**62), 2**62) | st.floats(allow_nan=False, allow_infinity=False) | TEXT
NAMES = st.from_regex(r"[a-z]{1,6}", fullmatch=True)
TABLES = st.dictionaries(NAMES, LEAVES | st.lists(LEAVES, min_size=1) | st.dictionaries(NAMES, LEAVES, min_size=1))


@settings(max_examples=60)
@given(
    st.fixed_dictionaries(
        {},
        optional={
            "name": TEXT,
            "files": st.lists(TEXT, min_size=1),
            "tasks": st.lists(TEXT.filter(lambda text: text == text.strip()), min_size=1),
            "lengths": st.lists(st.integers(), min_size=1),
            "section": st.fixed_dictionaries({}, optional={"rate": st.floats(allow_nan=False), "fast": st.booleans()}),
            "table": TABLES,
        },
    )
)
def test_the_same_values_come_back(table: dict[str, Any]) -> None:
    assert there_and_back(table) == Options.model_validate(table)


def test_words_are_as_one_would_write_them() -> None:
    table = {"files": ["a b", "c"], "tasks": ["x", "y"], "lengths": [1, 2], "section": {"fast": True}}
    table["table"] = {"one": {"two": 3, "three": "text", "four": "3"}}
    parser = parser_of_options()
    assert words_of(flat_values(table, parser), parser) == [
        "--files=a b",
        "--files=c",
        "--lengths=1,2",
        "--section.fast=yes",
        '--table.one.four="3"',
        "--table.one.three=text",
        "--table.one.two=3",
        "--tasks=x,y",
    ]


def test_an_unknown_key_names_the_nearest() -> None:
    with pytest.raises(PreprocessingError, match=r"unknown key 'section\.rates'; did you mean section\.rate\?"):
        flat_values({"section": {"rates": 1}}, parser_of_options())
