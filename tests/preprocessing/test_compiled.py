from typing import Any

import numba
import pytest

from preprocessing.compiled import compiled, inlined


def double(number: int) -> int:
    return 2 * number


@pytest.mark.parametrize("decorator", [compiled, inlined])
def test_without_a_folder_for_machine_code_it_compiles_all_the_same(
    decorator: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    njit, asked = numba.njit, []

    def without_folder(**options: Any) -> Any:
        asked.append(options.get("cache", False))
        if options.get("cache"):
            raise RuntimeError("cannot cache function 'double': no locator available for file")
        return njit(**options)

    monkeypatch.setattr(numba, "njit", without_folder)
    assert decorator(double)(21) == 42
    assert asked == [True, False]
