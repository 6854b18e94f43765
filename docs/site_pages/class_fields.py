"""The fields of a class as its source declares them: type, and the string below each."""

import ast
import inspect
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Declared:
    """One field: its type as the source writes it, and the string below it, or nothing."""

    type: str
    meaning: str


def declared(holder: type[Any]) -> dict[str, Declared]:
    """The fields of a class, inherited ones first; those of classes without a source file are left out."""
    found: dict[str, Declared] = {}
    for one in reversed(holder.__mro__):
        if one.__module__.partition(".")[0] in ("preprocessing", "pretraining", "finetuning"):
            found |= _fields(Path(inspect.getfile(one)), one.__name__)
    return found


def _fields(file: Path, name: str) -> dict[str, Declared]:
    body = next(node.body for node in _tree(file).body if isinstance(node, ast.ClassDef) and node.name == name)
    found: dict[str, Declared] = {}
    for node, behind in zip(body, [*body[1:], None], strict=True):
        if isinstance(node, ast.AnnAssign):
            said = behind.value if isinstance(behind, ast.Expr) else None
            text = said.value if isinstance(said, ast.Constant) and isinstance(said.value, str) else ""
            found[ast.unparse(node.target)] = Declared(ast.unparse(node.annotation), inspect.cleandoc(text))
    return found


@cache
def _tree(file: Path) -> ast.Module:
    return ast.parse(file.read_text(encoding="utf-8"))
