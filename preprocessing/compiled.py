"""How inner loops become machine code: one decorator for all of them."""

from collections.abc import Callable
from typing import Any, Literal, TypeVar, cast

import numba

Function = TypeVar("Function", bound=Callable[..., Any])


def compiled(function: Function) -> Function:
    """Compiles with numba, without the interpreter's lock, and keeps the machine code on disk: the first run of all
    takes seconds, later ones do not."""
    return _compile(function, "never")


def inlined(function: Function) -> Function:
    """As `compiled`, for a few lines inside a hot loop: they become part of each function that calls them."""
    return _compile(function, "always")


def _compile(function: Function, inline: Literal["never", "always"]) -> Function:
    try:
        return cast(Function, numba.njit(cache=True, nogil=True, inline=inline)(function))
    except RuntimeError:  # numba finds no folder that it may write to; then every process compiles for itself
        return cast(Function, numba.njit(nogil=True, inline=inline)(function))
