"""The table: every command of the CPU is in it, once, with options that the command knows."""

import ast
from pathlib import Path

from benchmarks.__main__ import Options
from benchmarks.suite.cases import CASES

OTHERS = {"gpu", "plateau", "transformers_pretraining"}
"""Commands that measure no speed of the CPU, or train for as long as they are told."""


def test_every_benchmark_is_there(repository: Path) -> None:
    folder = repository / "benchmarks"
    files = [*folder.glob("*.py"), *folder.glob("*/__main__.py")]
    commands = {
        file.parent.name if file.name == "__main__.py" else file.stem
        for file in files
        if 'if __name__ == "__main__"' in file.read_text(encoding="utf-8")
    } - {"benchmarks"}
    names = [case.name for case in CASES]
    assert len(set(names)) == len(names)
    assert set(names) == commands - OTHERS


def test_their_options_are_known(repository: Path) -> None:
    for case in CASES:
        path = repository / "benchmarks" / f"{case.name}.py"
        if not path.is_file():
            path = repository / "benchmarks" / case.name / "__main__.py"
        tree = ast.parse(path.read_text(encoding="utf-8"))
        declared = {node.value for node in ast.walk(tree) if isinstance(node, ast.Constant)}
        if case.name == "finetuning":  # its options are fields
            declared = {"--data", "--seeds"}
        for word in (*case.options, *case.quick):
            assert not word.startswith("--") or word in declared, f"{case.name} has no {word}"


def test_what_one_needs_is_an_option_and_stands_in_its_own() -> None:
    for case in CASES:
        assert bool(case.needs) == ("{}" in "".join(case.options)), case.name
        assert not case.needs or case.needs in Options.model_fields
    (sources,) = (case for case in CASES if case.name == "sources")
    expected = ("-m", "benchmarks.sources", "--books", "T/*.txt", "--wikipedia", "T/*.bz2")
    assert sources.words(quick=False, given="T") == expected
    (tokenizing,) = (case for case in CASES if case.name == "tokenizing")
    assert tokenizing.words(quick=True) == ("-m", "benchmarks.tokenizing", "--copies", "2", "--repeats", "1")
    assert tokenizing.words(quick=False) == ("-m", "benchmarks.tokenizing")
