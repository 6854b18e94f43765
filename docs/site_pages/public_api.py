"""Pages of the rooms that a user's own program imports: what `__all__` names, with docstrings, by mkdocstrings."""

import ast
from pathlib import Path

ROOMS = (
    *("preprocessing.documents", "preprocessing.tokens", "preprocessing.examples", "preprocessing.shards"),
    *("pretraining.model", "pretraining.data", "pretraining.optimization", "pretraining.configuration"),
    *("finetuning.tasks", "finetuning.kinds", "finetuning.run"),
)
"""The others are imported by commands alone."""


def page_of(room: str, root: Path) -> str:
    """The page of one room: its map, then every module and name that its door offers."""
    folder = root / room.replace(".", "/")
    tree = ast.parse((folder / "__init__.py").read_text(encoding="utf-8"))
    offered = _offered(tree)
    if not offered:
        raise ValueError(f"{room} offers nothing in __all__; take it off ROOMS")
    modules = [name for name in offered if (folder / f"{name}.py").is_file() or (folder / name).is_dir()]
    names = [name for name in offered if name not in modules]
    parts = [f"# {room}\n\n{ast.get_docstring(tree)}\n\n"]
    parts += [_directive(f"{room}.{name}") for name in names]
    for module in modules:
        parts += _pages_of_module(f"{room}.{module}", root)
    return "".join(parts)


def _pages_of_module(module: str, root: Path) -> list[str]:
    """The directive of a module, or of what an inner room offers where it is a folder."""
    door = root / module.replace(".", "/") / "__init__.py"
    inner = _offered(ast.parse(door.read_text(encoding="utf-8"))) if door.is_file() else ()
    return [_directive(module), *(_directive(f"{module}.{name}") for name in inner)]


def _directive(name: str) -> str:
    return f"::: {name}\n\n"


def _offered(tree: ast.Module) -> tuple[str, ...]:
    """The names in `__all__`; none where there is no such list."""
    for node in tree.body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__all__":
            return tuple(ast.literal_eval(node.value))
    return ()
