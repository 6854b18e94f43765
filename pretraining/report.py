"""placeholder"""

from pathlib import Path
from typing import Any

from pretraining.configuration import Recipe


def write_report(folder: Path, recipe: Recipe, identity: dict[str, Any]) -> None:
    pass
