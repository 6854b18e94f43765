"""How inner loops become machine code: one decorator for all of them.

Without numba they can be imported and not called: the model needs none of them on a GPU.
"""

import functools
from collections.abc import Callable
from typing import Any, Literal, TypeVar, cast

try:
    import numba
except ModuleNotFoundError:
    numba = None  # type: ignore[assignment]

Function = TypeVar("Function", bound=Callable[..., Any])


def compiled(function: Function) -> Function:
    """Compiles with numba, without the interpreter's lock, and keeps the machine code on disk: the first run of all
    takes seconds, later ones do not."""
    return _compile(function, "never")


def inlined(function: Function) -> Function:
    """As `compiled`, for a few lines inside a hot loop: they become part of each function that calls them."""
    return _compile(function, "always")


def _compile(function: Function, inline: Literal["never", "always"]) -> Function:
    if numba is None:
        return cast(Function, _refusing(function))
    try:
        return cast(Function, numba.njit(cache=True, nogil=True, inline=inline)(function))
    except RuntimeError:  # numba finds no folder that it may write to; then every process compiles for itself
        return cast(Function, numba.njit(nogil=True, inline=inline)(function))


def _refusing(function: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(function)
    def refuse(*_: Any, **__: Any) -> Any:
        raise ModuleNotFoundError(
            f"numba is not installed, and {function.__qualname__} is compiled by it: python -m pip install numba",
            name="numba",
        )

    return refuse
