"""How inner loops become machine code: one decorator for all of them."""

from collections.abc import Callable
from typing import Any, TypeVar, cast

import numba

Function = TypeVar("Function", bound=Callable[..., Any])


def compiled(function: Function) -> Function:
    """Compiles with numba, without the interpreter's lock, and keeps the machine code on disk: the first run of all
    takes seconds, later ones do not."""
    try:
        return cast(Function, numba.njit(cache=True, nogil=True)(function))
    except RuntimeError:  # numba finds no folder that it may write to; then every process compiles for itself
        return cast(Function, numba.njit(nogil=True)(function))
