"""Raw text to shards as stages: a vocabulary where none is given, the build, and its verification."""

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cluster.chain.asked import Asked, ask, told
from cluster.chain.configuration import Configuration
from cluster.chain.progress import progress_of_build
from cluster.chain.stages import Stage, Wait, command_stage, one_job
from cluster.errors import ClusterError

VOCABULARY, SHARDS = "vocabulary", "shards"
_FILES = ("wikipedia", "books", "jsonlines", "parquet", "sentences", "text")
_OTHERS = ("dataset", "corpus")


@dataclass(frozen=True)
class Shards:
    """What later stages must know of the shards that the chain makes."""

    folder: Path
    sequence_lengths: tuple[int, ...]


def text_stages(configuration: Configuration) -> tuple[list[Stage], Shards | None]:
    """The stages of `[vocabulary]` and `[preprocess]`, all that can be checked now checked; `ClusterError`."""
    if "preprocess" not in configuration.tables:
        if VOCABULARY in configuration.tables:
            raise ClusterError(f"{configuration.file}: [vocabulary] is for the shards of [preprocess]; add that table")
        return [], None
    from preprocessing.arguments import build_model
    from preprocessing.examples.options import ExampleOptions
    from preprocessing.pipeline import option_parser

    shards = configuration.output / SHARDS
    own: dict[str, Any] = {"output": str(shards)}
    makes_vocabulary = VOCABULARY in configuration.tables
    if makes_vocabulary:
        own["vocab"] = str(configuration.output / VOCABULARY)
    asked = ask(configuration, "preprocess", option_parser(), own)
    with told(configuration, "preprocess"):
        _check_options(asked)
        lengths = build_model(ExampleOptions, asked.parsed).sequence_lengths
    stages = [_vocabulary(configuration, asked)] if makes_vocabulary else []
    needs: dict[str, Wait] = {VOCABULARY: "afterok"} if makes_vocabulary else {}
    manifest = shards / "manifest.json"
    slurm = configuration.slurm["preprocess"]
    stages.append(
        Stage(
            "preprocess",
            asked.words,
            one_job("preprocess.sbatch", asked.words),
            needs,
            (shards,),
            manifest.is_file,
            lambda: progress_of_build(shards),
            lambda: _check_inputs(configuration, asked, makes_vocabulary),
            slurm.words,
            {**slurm.variables, "PIPELINE": "preprocessing/pipeline.py"},
        )
    )
    command = ("python", "-m", "preprocessing.verify", str(shards))
    stages.append(command_stage(configuration, "verify", command, {"preprocess": "afterok"}, refreshes=True))
    return stages, Shards(shards, lengths)


def _check_options(asked: Asked) -> None:
    """What the build would refuse at once, wherever its input lies."""
    from preprocessing.arguments import build_model
    from preprocessing.documents.bad_share import BadShareOptions
    from preprocessing.documents.options import DocumentOptions
    from preprocessing.pipeline import RunOptions
    from preprocessing.shards.thresholds import ThresholdOptions
    from preprocessing.sources.options import InputOptions

    if "vocab" not in asked.values:
        raise ClusterError("vocab is missing: name a vocab.txt or a folder with one, or add a table [vocabulary]")
    for model in (RunOptions, BadShareOptions, ThresholdOptions, DocumentOptions):
        build_model(model, asked.parsed)
    inputs = build_model(InputOptions, asked.parsed)
    if not any(getattr(inputs, name) for name in (*_FILES, *_OTHERS)):
        raise ClusterError(f"there is no input; give one or more of {', '.join((*_FILES, *_OTHERS))}")


def _check_inputs(configuration: Configuration, asked: Asked, makes_vocabulary: bool) -> None:
    """The input is looked for, and not read."""
    from preprocessing.arguments import build_model
    from preprocessing.jobs.runners import quiet
    from preprocessing.pipeline import RunOptions
    from preprocessing.sources.input_files import find_input_files
    from preprocessing.sources.options import InputOptions
    from preprocessing.tokens.tokenizer import Tokenizer

    quiet()  # Beam, which looks for remote input
    inputs = build_model(InputOptions, asked.parsed)
    options = build_model(RunOptions, asked.parsed)
    with told(configuration, "preprocess"):
        for name in _FILES:
            find_input_files(name, getattr(inputs, name), skip_bad_files=inputs.skip_bad_files)
        if not makes_vocabulary:
            Tokenizer.load(options.vocab, options.lowercase)


def _vocabulary(configuration: Configuration, build: Asked) -> Stage:
    """From the sources of the build, read in the same way, and what the table says besides."""
    from preprocessing.arguments import build_model, words_of
    from preprocessing.tokens.vocabulary_training import VocabularyOptions
    from preprocessing.vocabulary import option_parser

    folder = configuration.output / VOCABULARY
    parser = option_parser()
    own = {"output": str(folder)}
    table = ask(configuration, VOCABULARY, parser, own)
    shared = {key: value for key, value in build.values.items() if key in parser.keys - {"output", "split_bytes"}}
    with told(configuration, VOCABULARY):
        build_model(VocabularyOptions, table.parsed)
        words = tuple(words_of({**shared, **table.values}, parser))
    slurm = configuration.slurm[VOCABULARY]
    return Stage(
        VOCABULARY,
        words,
        one_job("preprocess.sbatch", words),
        {},
        (folder,),
        lambda: _is_trained(folder),
        lambda: progress_of_build(folder),
        lambda: _check_inputs(configuration, build, makes_vocabulary=True),
        slurm.words,
        {**slurm.variables, "PIPELINE": "preprocessing/vocabulary.py"},
    )


def _is_trained(folder: Path) -> bool:
    """Whether the vocabulary there is complete: its marker, which is there from the beginning, says so last."""
    try:
        marker = json.loads((folder / "vocabulary.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return isinstance(marker, dict) and marker.get("complete") is True
