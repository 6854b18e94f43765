"""What an adaptation is before anything runs: the model, the options, and what follows from both."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

from preprocessing.shards import MANIFEST_NAME, ShardSet
from pretraining.adaptation import commands
from pretraining.adaptation.layout import GENERAL, OWN, Layout
from pretraining.adaptation.mixture import Mixture, examples_of, mix, training_words
from pretraining.adaptation.options import AdaptOptions, Training
from pretraining.adaptation.source_model import SourceModel
from pretraining.errors import PretrainingError


@dataclass(frozen=True)
class Preparation:
    """Options, recipe and model, checked against each other: `check` raises PretrainingError."""

    options: AdaptOptions
    training: Training
    source: SourceModel

    @property
    def layout(self) -> Layout:
        return Layout(self.options.output)

    @property
    def objective(self) -> str:
        """As the build calls it: pairs only where the model has learnt from pairs."""
        if self.options.objective == "auto":
            return "next-sentence" if self.source.has_pairs else "none"
        return self.options.objective

    @property
    def builds_general(self) -> bool:
        """Whether the general text has to be made into shards."""
        return bool(self.options.replay) and not _is_shards(self.options.replay[0])

    @property
    def general(self) -> Path | None:
        """The shards of the general text; None where there is none."""
        if not self.options.replay:
            return None
        return self.layout.replay if self.builds_general else Path(self.options.replay[0])

    @property
    def texts(self) -> dict[str, Path]:
        """The shards of each text."""
        return {OWN: self.layout.shards, **({GENERAL: self.general} if self.general is not None else {})}

    def check(self) -> None:
        """What can be known before there are shards of the text."""
        length, config = self.options.sequence_length, self.source.config
        if length > config.max_position_embeddings:
            raise PretrainingError(
                f"--sequence-length {length} is longer than the {config.max_position_embeddings} positions of "
                f"{self.source.folder}; choose a shorter one"
            )
        if len(self.options.replay) > 1 and any(map(_is_shards, self.options.replay)):
            raise PretrainingError("--replay takes one folder of shards, or texts; build all of it as one folder")
        if self.general is None or self.builds_general:
            return
        if self.options.new_pieces:
            raise PretrainingError(
                f"--replay {self.general}: shards of the old vocabulary do not go with --new-pieces; give the general "
                "text itself"
            )
        shards = ShardSet.open(self.general)
        if shards.manifest.tokenizer_fingerprint != self.source.tokenizer.fingerprint:
            raise PretrainingError(
                f"--replay {self.general} was built with another vocabulary than that of {self.source.folder}; build "
                f"it with --vocab {self.source.folder}, or give the text itself"
            )
        shards.records("train", length)  # which says what lengths there are

    @cached_property
    def mixture(self) -> Mixture:
        """What an epoch draws; asked for when the shards are there.

        PretrainingError where nothing of the text is held out.
        """
        own, length = ShardSet.open(self.layout.shards), self.options.sequence_length
        if not examples_of(own, "heldout", length):
            documents = sum(own.manifest.corpus.documents_by_source.values())
            raise PretrainingError(
                f"none of the {documents} documents of your text was held out at --heldout-fraction "
                f"{self.options.heldout_fraction}, so nothing could be measured; give more or shorter documents (of "
                "books: --build.books.document chapter), or a larger --heldout-fraction"
            )
        general = examples_of(ShardSet.open(self.general), "train", length) if self.general is not None else 0
        return mix(examples_of(own, "train", length), general, self.options.replay_share)

    def build_command(self, output: Path, vocabulary: Path, sources: Mapping[str, Sequence[str]]) -> list[str]:
        """Text → shards in `output`, with the vocabulary in a folder; `sources` by option of the pipeline."""
        return commands.build(self.options, sources, vocabulary, output, self.objective)

    def general_command(self) -> list[str]:
        """The general text → shards, where it has to be built."""
        return self.build_command(self.layout.replay, self.layout.start, {self.options.replay_as: self.options.replay})

    def evaluation_command(self, text: str, when: str) -> list[str]:
        """Held-out figures of one of `texts`, "before" or "after"."""
        model = self.layout.start if when == "before" else self.layout.export
        return commands.evaluate(self.options, model, self.texts[text], self.layout.figures(text, when))

    def training_command(self) -> tuple[list[str], int | None]:
        """The command and its steps; None, and the command without them, while there are no shards."""
        shards = list(self.texts.values())
        if all(map(_is_shards, map(str, shards))):
            words, steps = training_words(self.options, self.training, self.layout.start, shards, self.mixture)
            self.training.complete(words)
            return commands.train(self.options, self.training, words), steps
        words = [f"--init.from={self.layout.start}", f"--data.shards={','.join(map(str, shards))}"]
        words.append(f"--output.folder={self.options.output}")
        return commands.train(self.options, self.training, words), None

    def identity(self) -> dict[str, Any]:
        """What the result depends on, as plain data: other options in the same folder are refused."""
        settings = {f"recipe: {key}": value for key, value in self.training.settings().items()}
        return {**self.options.identity(), **settings, "weights of the model": self.source.weights}


def _is_shards(folder: str) -> bool:
    return (Path(folder) / MANIFEST_NAME).is_file()
