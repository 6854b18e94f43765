"""Where everything lies in the folder of an adaptation.

first-shards/ pieces/   with new pieces: the text in the old vocabulary, and the new vocabulary
shards/ replay/         your text and the general one, as examples
start/                  the model that training starts from
recipe.json, metrics.jsonl, checkpoints/, report.html, export/    the training run
figures/                held-out figures, before and after
adaptation.json         all of it in a table, last
"""

from dataclasses import dataclass
from pathlib import Path

OWN, GENERAL = "your text", "general text"
WHEN = ("before", "after")


@dataclass(frozen=True)
class Layout:
    """The paths below `--output`."""

    folder: Path

    @property
    def first_shards(self) -> Path:
        return self.folder / "first-shards"

    @property
    def pieces(self) -> Path:
        return self.folder / "pieces"

    @property
    def shards(self) -> Path:
        return self.folder / "shards"

    @property
    def replay(self) -> Path:
        return self.folder / "replay"

    @property
    def start(self) -> Path:
        return self.folder / "start"

    @property
    def export(self) -> Path:
        return self.folder / "export"

    @property
    def result(self) -> Path:
        return self.folder / "adaptation.json"

    @property
    def before_settling(self) -> tuple[Path, ...]:
        """What is made while options may still be corrected."""
        return (self.first_shards, self.pieces, self.shards, self.replay, self.start)

    def figures(self, text: str, when: str) -> Path:
        """Held-out figures of one text, before or after."""
        return self.folder / "figures" / f"{text.split()[0]}-{when}.json"
