"""What is kept of a run, and what of it still holds."""

from dataclasses import replace
from pathlib import Path

import pytest

from tests.mutants.ledger import Entry, Ledger, equivalents

REPOSITORY = Path(__file__).resolve().parents[2]
KILLED = Entry("a.py", "m1", "t1", "k1", "f", 3, "x + 1", "x - 1", True, "test_a.py::test", 0.5)
SURVIVED = replace(KILLED, key="k2", killed=False, by="")


def test_a_kill_holds_while_the_module_does_and_a_survivor_while_its_tests_do_too(tmp_path: Path) -> None:
    ledger = Ledger(tmp_path / "runs/mutants.jsonl")
    ledger.add(KILLED)
    ledger.add(SURVIVED)
    for known in (ledger, Ledger(tmp_path / "runs/mutants.jsonl")):
        assert known.known("a.py", "m1", "t1", "k1") == known.known("a.py", "m1", "t2", "k1") == KILLED
        assert known.known("a.py", "m1", "t1", "k2") == SURVIVED
        assert known.known("a.py", "m1", "t2", "k2") is None
        assert known.known("a.py", "m2", "t1", "k1") is None
        assert known.known("b.py", "m1", "t1", "k1") is None


def test_the_last_word_counts_and_half_a_line_is_passed_over(tmp_path: Path) -> None:
    path = tmp_path / "mutants.jsonl"
    ledger = Ledger(path)
    ledger.add(SURVIVED)
    ledger.add(replace(SURVIVED, killed=True, by="test"))
    with path.open("a", encoding="utf-8") as file:
        file.write('{"module": "a.py", "mod')
    entry = Ledger(path).known("a.py", "m1", "t9", "k2")
    assert entry is not None
    assert entry.killed


def test_an_equivalent_mutant_has_a_reason(tmp_path: Path) -> None:
    path = tmp_path / "equivalent.toml"
    line = '[[equivalent]]\nmodule = "a.py"\nscope = "f"\nbefore = "x"\nafter = "y"\nreason = "{}"\n'
    path.write_text(line.format("the same"), encoding="utf-8")
    assert equivalents(path) == {("a.py", "f", "x", "y"): "the same"}
    for wrong in (line.format(" "), line.replace('scope = "f"\n', "").format("the same")):
        path.write_text(wrong, encoding="utf-8")
        with pytest.raises(ValueError, match="has module, scope, before, after and reason"):
            equivalents(path)


def test_what_is_called_equivalent_stands_in_the_source() -> None:
    for module, _, before, _ in equivalents(Path(__file__).with_name("equivalent.toml")):
        lines = [line.strip() for line in (REPOSITORY / module).read_text(encoding="utf-8").splitlines()]
        for line in before.split("\n"):
            assert line in lines, f"{module} has no line {line!r} any more: take its entry out of equivalent.toml"
