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

    def without_folder(*functions: Any, **options: Any) -> Any:
        if functions:  # numba's own, when it loads the rest of itself
            return njit(*functions, **options)
        asked.append(options.get("cache", False))
        if options.get("cache"):
            raise RuntimeError("cannot cache function 'double': no locator available for file")
        return njit(**options)

    monkeypatch.setattr(numba, "njit", without_folder)
    assert decorator(double)(21) == 42
    assert asked == [True, False]


@pytest.mark.parametrize("decorator", [compiled, inlined])
def test_without_numba_a_function_can_be_imported_and_not_called(
    decorator: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("preprocessing.compiled.numba", None)
    made = decorator(double)
    assert made.__name__ == "double"
    with pytest.raises(ModuleNotFoundError, match=r"numba is not installed, and double .*pip install numba"):
        made(21)
