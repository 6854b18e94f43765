import threading

import pytest

from preprocessing.sources import threads
from preprocessing.sources.threads import in_threads


def test_results_come_in_the_order_of_the_items(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(threads, "_AT_A_TIME", 7)
    assert list(in_threads(lambda number: number * number, range(50))) == [number * number for number in range(50)]
    assert list(in_threads(str, [])) == []


def test_items_are_worked_on_at_once() -> None:
    together = threading.Barrier(4, timeout=20)  # passed by four at a time alone
    assert len(list(in_threads(lambda _: together.wait(), range(4)))) == 4


def test_an_error_is_raised() -> None:
    def fail(number: int) -> int:
        if number == 3:
            raise OSError("third")
        return number

    with pytest.raises(OSError, match="third"):
        list(in_threads(fail, range(5)))
