"""What `python -m pretraining.adapt` asks for, checked before anything starts."""

import argparse
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from preprocessing.arguments import OptionParser, add_models, build_model, given_values
from pretraining.configuration.recipe import recipe_of, recipe_parser
from pretraining.configuration.tables import Recipe
from pretraining.errors import PretrainingError
from pretraining.run.checkpoint.identity import settings_of

RECIPE = Path(__file__).resolve().parents[1] / "recipes" / "adapt.toml"
SOURCES = ("text", "books", "wikipedia", "jsonlines", "parquet", "sentences", "dataset", "corpus")
_OF_BUILD = {
    "vocab": "--model",
    "output": "--output",
    "language": "--language",
    "sequence_lengths": "--sequence-length",
    "objective": "--objective",
    "heldout_fraction": "--heldout-fraction",
    "seed": "--seed",
    **{name: f"--{name}" for name in SOURCES},
}
"""Options of a build → what sets them here."""
_SET_HERE = {
    "training.steps": "--steps or --epochs",
    "training.stop_at": "--steps",
    "data.shards": "--text and its kin, or --replay",
    "data.weights": "--replay-share",
    "data.sequence_length": "--sequence-length",
    "init.from": "--model",
    "init.new_heads": "nothing: heads that the model lacks start at random",
    "init.moments": "nothing: the moments of another text say little about this one",
    "output.folder": "--output",
    "output.export": "nothing: the export is what this command is for",
    "checkpoint.resume": "nothing: the same command goes on",
}
PROGRAM = "python -m pretraining.adapt"
ANY_STEPS = "--training.steps=1000000000"
"""What fits every schedule, while the number of steps is not known."""


class AdaptOptions(BaseModel):
    """A model, a text, and how much of it."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    model: str = Field(description="a run's folder, a Hugging Face BERT folder, or the name of one on the hub")
    revision: str | None = Field(None, description="commit or tag of a model from the hub")
    text: tuple[str, ...] = Field(
        (), description="files of your own, one document each (.txt, .md, .html, .epub): files, quoted globs or folders"
    )
    books: tuple[str, ...] = Field((), description="plain text or EPUB books: files, quoted globs or folders")
    wikipedia: tuple[str, ...] = Field((), description="pages-articles XML dumps: files or quoted globs")
    jsonlines: tuple[str, ...] = Field((), description="files or quoted globs, one JSON object a line")
    parquet: tuple[str, ...] = Field((), description="Parquet files with a text column, or quoted globs")
    sentences: tuple[str, ...] = Field(
        (), description="files or quoted globs, a sentence a line, a blank line between documents"
    )
    dataset: tuple[str, ...] = Field((), description="Hugging Face datasets, as name or name:configuration")
    corpus: tuple[str, ...] = Field((), description="folders of parsed documents, as preprocessing/corpus.py writes")
    language: str = Field("en", description="language of the sentence rules (ISO 639-1 or Wikipedia's code)")
    build: dict[str, Any] = Field(
        default_factory=dict,
        description="any other option of preprocessing/pipeline.py for all texts, as --build.books.document chapter",
    )
    replay: tuple[str, ...] = Field(
        (),
        description="general text that the model is not to forget: a folder of shards with its vocabulary, or files, "
        "quoted globs or folders of text",
    )
    replay_as: Literal["text", "books", "wikipedia", "jsonlines", "parquet", "sentences", "corpus"] = Field(
        "text", description="by which of the options above the files of --replay are read"
    )
    replay_share: float = Field(
        0.1, ge=0, le=0.9, description="share of the training examples that are general text; 0: only measure it"
    )
    heldout_fraction: float = Field(
        0.1, gt=0, lt=1, description="share of your documents that are held out, to measure on"
    )
    sequence_length: int = Field(128, ge=8, le=32768, description="tokens of an example")
    objective: Literal["auto", "next-sentence", "none"] = Field(
        "auto", description="whether segments are paired; auto: next-sentence where the model has that head"
    )
    epochs: float = Field(3.0, gt=0, le=10_000, description="passes over your text")
    steps: int | None = Field(None, ge=2, description="optimiser steps, instead of --epochs")
    new_pieces: int = Field(
        0, ge=0, le=100_000, description="words to add to the vocabulary: those that it cuts into most pieces"
    )
    evaluation_examples: int = Field(
        2_000, ge=1, description="held-out examples of each text that are measured, at most"
    )
    seed: int = Field(1, ge=0, le=2**32 - 1, description="of shards, order, masks, dropout and new heads")
    recipe: Path | None = Field(
        None, description="a TOML file of how to train; left out: pretraining/recipes/adapt.toml"
    )
    output: Path = Field(description="folder of the shards, the run and its export")
    processes: int = Field(1, ge=1, le=4_096, description="training processes: one for each GPU, or parts of the CPU")
    workers: int | None = Field(None, ge=1, description="processes that make shards; left out: one for each core")
    dry_run: bool = Field(False, description="print the commands and run none")

    @model_validator(mode="after")
    def _has_text(self) -> Self:
        if not any(getattr(self, name) for name in SOURCES):
            raise ValueError(
                "there is no text to adapt to: give --text 'mine/**', or --books, --wikipedia, --jsonlines"
            )
        return self

    @field_validator("build")
    @classmethod
    def _is_not_set_here(cls, build: dict[str, Any]) -> dict[str, Any]:
        for key, value in build.items():
            # A table is options of a kind of text, as books.document.
            if (name := key.replace("-", "_")) in _OF_BUILD and not isinstance(value, dict):
                raise ValueError(f"{name} is set by this command; use {_OF_BUILD[name]}")
        return build

    @property
    def sources(self) -> dict[str, tuple[str, ...]]:
        """Option of the pipeline → paths, of the text to adapt to."""
        return {name: paths for name in SOURCES if (paths := getattr(self, name))}

    def identity(self) -> dict[str, Any]:
        """Everything that the result depends on: without the folder, and without how the work is shared out."""
        return self.model_dump(mode="json", exclude={"output", "processes", "workers", "dry_run", "recipe"})


def option_parser() -> OptionParser:
    """The options of this command; those of a recipe pass through."""
    text = (
        "Every key of a recipe is an option too, as --optimizer.learning_rate 5e-5 (see deepspeed pretraining/main.py)."
    )
    parser = OptionParser(
        PROGRAM,
        "Continues to pretrain a BERT on your own text, and measures what it wins and forgets.",
        PretrainingError,
        epilog=text,
    )
    add_models(parser, (AdaptOptions,), config="options of an adaptation")
    return parser


def read_options(argv: Sequence[str] | None = None) -> "tuple[AdaptOptions, Training]":
    """Both halves of a command line, checked as far as they can be before there are shards.

    Raises PretrainingError.
    """
    parser = option_parser()
    known, rest = parser.parse_known_args(argv)
    options = build_model(AdaptOptions, known, PretrainingError)
    foreign = [word for word in rest if word.startswith("--") and not _is_key(word)]
    parser.refuse_unknown(foreign or [word for word in rest[:1] if not word.startswith("--")])
    recipe = options.recipe or RECIPE
    if not recipe.is_file():
        raise PretrainingError(f"--recipe {recipe}: no such file; leave it out, or give a TOML file")
    training = Training(recipe, tuple(rest))
    training.check()
    return options, training


def _is_key(word: str) -> bool:
    return word.removeprefix("--").partition(".")[0] in Recipe.model_fields and "." in word


@dataclass(frozen=True)
class Training:
    """The recipe and what the command line changes of it, until steps and shards are known."""

    recipe: Path
    words: tuple[str, ...]

    def check(self) -> None:
        """PretrainingError where a key is wrong, or is one that this command sets."""
        for key, instead in _SET_HERE.items():
            if self.is_given(key):
                raise PretrainingError(f"--{key} is set by this command; use {instead}")
        self.complete((ANY_STEPS,))

    def complete(self, words: Sequence[str]) -> Recipe:
        """The whole recipe with what this command sets; PretrainingError where it does not fit together."""
        return recipe_of(self._parsed(words)[0])

    def is_given(self, key: str) -> bool:
        """Whether the command line says a key, whatever the recipe's file says."""
        return key in given_values(*self._parsed(with_file=False))

    @property
    def is_shipped(self) -> bool:
        """Whether the recipe is the one that comes along."""
        return self.recipe.resolve() == RECIPE

    def settings(self) -> dict[str, Any]:
        """What recipe and command line say that changes what is learnt, by dotted key."""
        settings = settings_of(self.complete((ANY_STEPS,)))
        return {key: value for key, value in settings.items() if key not in _SET_HERE}

    def _parsed(self, words: Sequence[str] = (), *, with_file: bool = True) -> tuple[argparse.Namespace, OptionParser]:
        parser = recipe_parser(PROGRAM, "")
        file = ["--config", str(self.recipe)] if with_file else []
        return parser.parse_args([*file, *self.words, *words]), parser
