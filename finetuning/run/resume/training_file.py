"""How far an interrupted run's training is, read without torch."""

from __future__ import annotations

import json
import struct
from pathlib import Path

TRAINING_FILE = "training.safetensors"
METADATA = "run"


def saved_step(folder: Path) -> int:
    """Steps that an interrupted run in `folder` has behind it; 0 where nothing of it was saved or can be read."""
    try:
        with (folder / TRAINING_FILE).open("rb") as file:
            (length,) = struct.unpack("<Q", file.read(8))  # the format begins with its header's length
            header = json.loads(file.read(min(length, 1 << 24)))
        return int(json.loads(header["__metadata__"][METADATA])["position"]["step"])
    except (OSError, ValueError, KeyError, TypeError, struct.error):
        return 0
