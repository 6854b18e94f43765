"""Memory that a step has freed stays with the process, on the CPU: the next step takes it again.

By default glibc maps tensors above 32 MiB afresh each time, and gives the end of its heap back. The kernel then fills
every page with zeros again, at every step, and the cache with them (docs/model-speed.md).
"""

import ctypes
import os
from collections.abc import Mapping

# glibc's malloc.h
_M_TRIM_THRESHOLD, _M_MMAP_MAX = -1, -4
_NEVER = -1


def keep_freed_memory(environment: Mapping[str, str] = os.environ) -> bool:
    """Whether it does from now on: not where the user has set the allocator, or the C library has no such setting."""
    if any(name.startswith("MALLOC_") for name in environment) or "glibc.malloc" in environment.get(
        "GLIBC_TUNABLES", ""
    ):
        return False
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (AttributeError, OSError):  # another C library
        return False
    return bool(mallopt(_M_MMAP_MAX, 0) and mallopt(_M_TRIM_THRESHOLD, _NEVER))
