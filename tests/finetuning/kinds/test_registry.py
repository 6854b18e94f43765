"""The kinds: each has its name and all of its protocol, and no other room asks for one."""

import ast
from pathlib import Path

import pytest

from finetuning.errors import FinetuningError
from finetuning.kinds.loading import parse_task
from finetuning.kinds.protocol import Kind
from finetuning.kinds.registry import KINDS, kind_named

ATTRIBUTES = ("formats", "new_roles", "architecture", "head", "metrics")


@pytest.mark.parametrize("name", KINDS)
def test_every_kind_is_whole(name: str) -> None:
    kind = kind_named(name)
    assert isinstance(kind, Kind)
    assert kind.name == name
    assert all(getattr(kind, attribute) for attribute in ATTRIBUTES)


def test_an_unknown_kind_names_the_nearest() -> None:
    with pytest.raises(FinetuningError, match="kind 'regresion' is unknown; did you mean 'regression'"):
        kind_named("regresion")
    content = {"name": "mine", "kind": "xyz", "format": "jsonl", "metric": "accuracy", "splits": {"dev": "dev.jsonl"}}
    with pytest.raises(FinetuningError, match=r"mine\.toml: kind 'xyz' is unknown; known: classification, "):
        parse_task(content, "mine.toml")


@pytest.mark.parametrize(
    ("kind", "format", "message"),
    [
        ("span", "conll", "format 'conll' holds token tasks, not span"),
        ("classification", "conll", "format 'conll' holds token tasks, not classification"),
    ],
)
def test_a_layout_that_the_kind_does_not_have(kind: str, format: str, message: str) -> None:
    content = {"name": "mine", "kind": kind, "format": format, "metric": "f1", "splits": {"dev": "dev"}}
    with pytest.raises(FinetuningError, match=message):
        parse_task(content, "mine.toml")


def test_no_other_room_asks_which_kind_it_has(repository: Path) -> None:
    """But for the baselines, which have a learner for each."""
    for file in sorted((repository / "finetuning").rglob("*.py")):
        if "kinds" in file.relative_to(repository).parts or file.parts[-2:] == ("baselines", "registry.py"):
            continue
        texts = {node.value for node in ast.walk(ast.parse(file.read_text())) if isinstance(node, ast.Constant)}
        assert not texts & set(KINDS), file
