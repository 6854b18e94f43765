"""What computes on either side: versions, and the libraries that multiply matrices."""

from __future__ import annotations

import platform
import re
from importlib.metadata import version
from typing import Any

import torch


def backends() -> dict[str, Any]:
    """Versions, and what torch was built with. float32 products on the CPU are this package's own choice where oneDNN
    is there (`pretraining/model/linear.py`); transformers leaves them to torch, which takes the BLAS it was built with.
    """
    blas = re.search(r"BLAS_INFO=(\w+)", torch.__config__.show())
    torchs = blas.group(1) if blas else "unknown"
    onednn = torch.backends.mkldnn.is_available()
    return {
        "python": platform.python_version(),
        **{name: version(name) for name in ("torch", "transformers", "accelerate", "tokenizers")},
        "cpu_capability": torch.backends.cpu.get_cpu_capability(),
        "onednn": {"available": onednn, "enabled": bool(torch.backends.mkldnn.enabled)},
        "products_on_cpu": {"ours": "oneDNN" if onednn else torchs, "transformers": torchs},
    }
