"""The counting itself, which needs no peer."""

import tomllib

from tests.peers.agreement import KEPT, Agreement


def counted() -> Agreement:
    agreement = Agreement("table")
    agreement.compare("one", 1, 1)
    agreement.compare("two", 2, 2, "odd")
    agreement.compare("three", 3, 4, "odd")
    return agreement


def test_the_kept_number_holds() -> None:
    assert counted().problems({"agreeing": 2, "exceptions": {"odd": "a reason"}}) == []


def test_fewer_or_more_than_is_kept() -> None:
    kept = {"exceptions": {"odd": "a reason"}}
    assert counted().problems(kept | {"agreeing": 3}) == ["table: 2 cases agree, and 3 did"]
    assert counted().problems(kept | {"agreeing": 1}) == ["table: 2 cases agree, more than 1: write that down"]


def test_an_exception_has_a_reason_and_a_case() -> None:
    assert counted().problems({"agreeing": 2}) == ["table: odd is no exception of the table"]
    kept = {"agreeing": 2, "exceptions": {"odd": "a reason", "old": "a reason"}}
    assert counted().problems(kept) == ["table: nothing is excepted for old: remove it"]


def test_what_differs_without_a_reason_is_told() -> None:
    agreement = Agreement("table")
    for number in range(5):
        agreement.compare(f"case {number}", number, -1)
    (problem,) = agreement.problems({"agreeing": 0})
    assert problem.startswith("table: 5 cases differ and no exception is named: case 0: ours 0, theirs -1; case 1")
    assert "case 3" not in problem


def test_every_table_has_its_number_and_reasons() -> None:
    for name, table in tomllib.loads(KEPT.read_text(encoding="utf-8")).items():
        assert set(table) <= {"agreeing", "exceptions"}, name
        assert table["agreeing"] > 0, name
        assert all(len(reason.split()) > 3 for reason in table.get("exceptions", {}).values()), name
