"""A model card as Hugging Face reads it: YAML in front, Markdown behind (https://huggingface.co/docs/hub/model-cards).

The same contents give the same bytes; no date is in them.
"""

import hashlib
import logging
import re
import shutil
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from preprocessing.atomic_file import write_text
from pretraining.model_card.markdown import plain

logger = logging.getLogger(__name__)

NAMES = ("README.md", "MODEL_CARD.md")
"""Where a card goes: to the second where the first is somebody else's."""
_SEAL = re.compile(r"\n<!-- model card of bert-pretraining, sha256 of what stands above: ([0-9a-f]{64}) -->\n\Z")

_LINE_ENDS = frozenset("\x85\u2028\u2029")
"""Of YAML, outside double quotes: there they would come back as blanks."""


class _Dumper(yaml.SafeDumper):
    """As `yaml.safe_dump`, but quotes texts so that they come back as they are."""


def _quoted(dumper: yaml.SafeDumper, text: str) -> yaml.ScalarNode:
    return dumper.represent_scalar("tag:yaml.org,2002:str", text, style='"' if _LINE_ENDS.intersection(text) else None)


_Dumper.add_representer(str, _quoted)


@dataclass(frozen=True)
class Score:
    """One figure on one data set, for the card's `model-index`."""

    metric: str
    value: float
    dataset: str
    """As a reader calls the data."""
    dataset_id: str
    """On the Hugging Face hub, or where it is not there its own name."""
    split: str
    config: str | None = None


@dataclass(frozen=True)
class Card:
    """What a card says."""

    name: str
    summary: str
    """Markdown, below the title."""
    sections: tuple[tuple[str, str], ...]
    """Title and Markdown of each; those without text are left out."""
    pipeline_tag: str
    languages: tuple[str, ...] = ()
    datasets: tuple[str, ...] = ()
    """On the Hugging Face hub."""
    tags: tuple[str, ...] = ()
    scores: tuple[Score, ...] = ()

    def text(self) -> str:
        """The whole file, with a last line by which it is known again."""
        front = yaml.dump(self._metadata(), Dumper=_Dumper, sort_keys=False, allow_unicode=True, width=120)
        parts = [f"---\n{front}---\n\n# {plain(self.name)}", self.summary]
        parts += [f"## {title}\n\n{content.strip()}" for title, content in self.sections if content.strip()]
        # White space at the ends of lines may be lost on the way, and the seal with it.
        text = re.sub(r"[ \t]+$", "", "\n\n".join(parts), flags=re.MULTILINE).rstrip() + "\n"
        text = text.encode("utf-8", "replace").decode()  # half a character, as names of files may have
        digest = hashlib.sha256(text.encode()).hexdigest()
        return f"{text}\n<!-- model card of bert-pretraining, sha256 of what stands above: {digest} -->\n"

    def _metadata(self) -> dict[str, Any]:
        metadata: dict[str, Any] = {"language": list(self.languages)} if self.languages else {}
        # "unknown" is a word of Hugging Face's: only who publishes weights can say under which licence.
        metadata |= {"license": "unknown", "library_name": "transformers", "pipeline_tag": self.pipeline_tag}
        metadata["tags"] = ["bert", "bert-pretraining", *self.tags]
        if self.datasets:
            metadata["datasets"] = list(self.datasets)
        if self.scores:
            metadata["model-index"] = [{"name": self.name, "results": [self._result(score) for score in self.scores]}]
        return metadata

    def _result(self, score: Score) -> dict[str, Any]:
        dataset = {"name": score.dataset, "type": score.dataset_id, "split": score.split}
        if score.config is not None:
            dataset["config"] = score.config
        return {
            "task": {"type": self.pipeline_tag},
            "dataset": dataset,
            "metrics": [{"type": score.metric, "name": score.metric, "value": score.value}],
        }


def is_ours(path: Path) -> bool:
    """Whether a file is a card of this program that nobody has edited since."""
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return False
    seal = _SEAL.search(text)
    return seal is not None and hashlib.sha256(text[: seal.start()].encode()).hexdigest() == seal[1]


def write_card(folder: Path, card: Card, before: Path | None = None) -> Path | None:
    """Writes a card into `folder`; returns its path, or None where there is none.

    `before`: the folder that `folder` will take the place of; left out: `folder` itself. What somebody else wrote there
    under a card's name, or edited, stays (it is copied into `folder`), and the card takes the next name, or none.
    """
    for name in NAMES:
        earlier, path = (before or folder) / name, folder / name
        if not earlier.exists() or is_ours(earlier):
            write_text(path, card.text())
            return path
        logger.warning("%s: is not a card of this program, or was edited, and stays as it is", earlier)
        if earlier != path:
            shutil.copyfile(earlier, path)
    return None
