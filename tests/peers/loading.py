"""Brings a peer's files into this process; TensorFlow is not needed for what is run of them."""

import importlib.util
import sys
import unittest
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any


def load(path: Path, name: str) -> Any:
    """The module in a file, whatever the file is called."""
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@contextmanager
def importable(modules: Mapping[str, Any]) -> Iterator[None]:
    """While it lasts, `import NAME` gives these."""
    before = {name: sys.modules.get(name) for name in modules}
    sys.modules.update(modules)
    try:
        yield
    finally:
        for name, module in before.items():
            if module is None:
                sys.modules.pop(name, None)
            else:
                sys.modules[name] = module


class _TestCase(unittest.TestCase):
    def assertAllEqual(self, found: Any, expected: Any) -> None:  # as TensorFlow names it
        assert list(found) == list(expected), f"{list(found)} != {list(expected)}"


class _Flags(SimpleNamespace):
    """Options of a script: the default of each stands until it is set."""

    def define(self, name: str, default: Any, _help: str) -> None:
        setattr(self, name, default)


def tensorflow_stand_in() -> ModuleType:
    """What the scripts of google-research/bert use of TensorFlow before they write records."""
    module: Any = ModuleType("tensorflow")
    values = _Flags()
    kinds = ("string", "bool", "integer", "float")
    module.flags = SimpleNamespace(FLAGS=values, **{f"DEFINE_{kind}": values.define for kind in kinds})
    module.gfile = SimpleNamespace(GFile=lambda path, mode: open(path, mode, encoding="utf-8"))  # noqa: SIM115
    module.test = SimpleNamespace(TestCase=_TestCase)
    return module
