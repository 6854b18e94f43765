"""Where and with what something was measured."""

import os
import platform
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from pretraining.model_card.code_version import code_version

PACKAGES = (
    *("torch", "numpy", "numba", "pyarrow", "apache-beam", "nanotoken", "deepspeed"),
    *("transformers", "datasets", "tokenizers", "mwparserfromhell", "accelerate", "lddl"),
)
"""What the figures depend on: what this project runs on, then the peers."""


def machine() -> dict[str, Any]:
    """Processor, cores that this process may use, memory in bytes, system, Python, and one minute's load."""
    return {
        "processor": _processor(Path("/proc/cpuinfo")),
        "cores": len(os.sched_getaffinity(0)),
        "memory_bytes": os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"),
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
        "load": round(os.getloadavg()[0], 2),
    }


def versions() -> dict[str, str | None]:
    """The versions of `PACKAGES`, None for what is not installed, and the revision of this project."""
    found: dict[str, str | None] = {}
    for name in PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = None
    return found | {"revision": code_version().get("revision")}


def _processor(file: Path) -> str:
    try:
        lines = file.read_text(encoding="utf-8").splitlines()
    except OSError:
        return platform.processor() or platform.machine()
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()
