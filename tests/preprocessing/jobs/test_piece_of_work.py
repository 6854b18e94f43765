"""Every piece of work of every job begins alike."""

import ast
import gc
import logging
import weakref
from collections.abc import Iterator
from pathlib import Path

import pytest

from preprocessing.jobs.piece_of_work import begin_work
from preprocessing.storage import StorageOptions, current_options, use_arguments

BEGIN = "begin_work"
NUMBERS_ALONE = ["_named"]
"""What Beam calls too, but which does nothing with the numbers that it is given."""


def called_by_beam(module: ast.Module) -> Iterator[tuple[str, ast.FunctionDef]]:
    """By name, the `process` of every `beam.DoFn` and every function of the module that is given to `beam.Map` and so
    on."""
    functions = {node.name: node for node in ast.walk(module) if isinstance(node, ast.FunctionDef)}
    for node in ast.walk(module):
        if isinstance(node, ast.ClassDef) and "beam.DoFn" in map(ast.unparse, node.bases):
            for part in node.body:
                if isinstance(part, ast.FunctionDef) and part.name == "process":
                    yield node.name, part
        elif isinstance(node, ast.Call) and ast.unparse(node.func).startswith("beam.") and node.args:
            name = ast.unparse(node.args[0])
            if name in functions:
                yield name, functions[name]


def begins(function: ast.FunctionDef) -> bool:
    first = function.body[0]
    return isinstance(first, ast.Expr) and isinstance(first.value, ast.Call) and ast.unparse(first.value.func) == BEGIN


def test_all_that_beam_calls_begins_so(repository: Path) -> None:
    found = [
        called
        for file in sorted((repository / "preprocessing").rglob("*.py"))
        for called in called_by_beam(ast.parse(file.read_text(encoding="utf-8")))
    ]
    assert len(found) >= 8
    assert [name for name, function in found if not begins(function)] == NUMBERS_ALONE


@pytest.mark.parametrize(
    ("body", "right"),
    [
        ("begin_work(self._job.storage)\n        yield number", True),
        ("quiet()\n        begin_work(self._job.storage)", False),
        ("yield number", False),
    ],
)
def test_one_that_does_not_is_found(body: str, right: bool) -> None:
    do_fn = f"class Sort(beam.DoFn):\n    def process(self, number):\n        {body}\n"
    ((name, function),) = called_by_beam(ast.parse(do_fn))
    assert (name, begins(function)) == ("Sort", right)
    mapped = f"def sort(self, number):\n        {body}\n'Sort' >> beam.Map(sort, job=job)\n"
    ((name, function),) = called_by_beam(ast.parse(mapped))
    assert (name, begins(function)) == ("sort", right)


@pytest.fixture
def unchanged() -> Iterator[None]:
    thresholds, storage, beam = gc.get_threshold(), current_options(), logging.getLogger("apache_beam").level
    root = logging.getLogger().level
    yield
    gc.set_threshold(*thresholds)
    gc.unfreeze()
    use_arguments(storage.arguments)
    logging.getLogger("apache_beam").setLevel(beam)
    logging.getLogger().setLevel(root)


def test_it_is_quiet_and_without_garbage_and_knows_the_storage(unchanged: None) -> None:
    class Cycle:
        def __init__(self) -> None:
            self.me = self

    logging.getLogger("apache_beam").setLevel(logging.INFO)
    begin_work(StorageOptions())
    left = weakref.ref(Cycle())
    assert left() is not None
    begin_work(StorageOptions(("--s3_region_name=here",)))
    assert left() is None
    assert current_options().arguments == ("--s3_region_name=here",)
    assert not logging.getLogger("apache_beam").isEnabledFor(logging.ERROR)
