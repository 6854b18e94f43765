"""The kinds of task: a new one is a module here, and a line in `KINDS`."""

from __future__ import annotations

import difflib
from importlib import import_module
from typing import Any

from finetuning.errors import FinetuningError
from finetuning.kinds.protocol import Kind

KINDS = {
    "classification": "classification",
    "regression": "regression",
    "choice": "multiple_choice",
    "token": "words",
    "span": "span",
    "multi_label": "multi_label",
}
"""What a task file calls a kind → the module of this room that has it as `KIND`."""


def kind_named(name: str) -> Kind[Any]:
    """The kind that task files call `name`; FinetuningError names the nearest where there is none."""
    if name not in KINDS:
        near = difflib.get_close_matches(name, KINDS, 1, 0.5)
        hint = f"did you mean {near[0]!r}?" if near else f"known: {', '.join(KINDS)}"
        raise FinetuningError(f"kind {name!r} is unknown; {hint}")
    kind: Kind[Any] = import_module(f"finetuning.kinds.{KINDS[name]}").KIND
    return kind
