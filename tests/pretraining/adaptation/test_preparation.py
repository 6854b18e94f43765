"""What does not fit together is said before anything runs."""

from collections.abc import Callable
from pathlib import Path

import pytest

from preprocessing.errors import PreprocessingError
from preprocessing.shards import ShardSet
from preprocessing.tokens.tokenizer import Tokenizer
from pretraining.adaptation.options import read_options
from pretraining.adaptation.preparation import Preparation
from pretraining.adaptation.source_model import find_model
from pretraining.adaptation.vocabulary import with_words
from pretraining.errors import PretrainingError

ROW = "[CLS] the d ##o ##g . [SEP]"
Make = Callable[..., ShardSet]


@pytest.fixture
def prepare(model_folder: Path, tmp_path: Path) -> Callable[..., Preparation]:
    """prepare(*words) → the preparation of a command line for sequences of 32."""

    def make(*words: str) -> Preparation:
        start = ["--model", str(model_folder), "--output", str(tmp_path / "out"), "--text", "t"]
        options, training = read_options([*start, "--sequence-length", "32", *words])
        return Preparation(options, training, find_model(options.model))

    return make


Prepare = Callable[..., Preparation]


def test_pairs_where_the_model_knows_them(prepare: Prepare) -> None:
    assert prepare().objective == "next-sentence"
    assert prepare("--objective", "none").objective == "none"


def test_general_text_is_built_or_taken(prepare: Prepare, shards_of: Make, tmp_path: Path) -> None:
    without, text = prepare(), prepare("--replay", "some/**", "more.txt", "--replay-as", "books")
    shards = str(shards_of([ROW]).folder)
    taken = prepare("--replay", shards)
    for one in (without, text, taken):
        one.check()
    assert (without.general, list(without.texts)) == (None, ["your text"])
    assert (text.builds_general, text.general) == (True, tmp_path / "out" / "replay")
    command = text.general_command()
    place = command.index("--books")
    assert command[place + 1 : place + 3] == ["some/**", "more.txt"]
    assert (taken.builds_general, taken.general) == (False, Path(shards))


def test_what_does_not_fit(prepare: Prepare, shards_of: Make, letters: Tokenizer) -> None:
    shards = str(shards_of([ROW]).folder)
    other = str(shards_of([ROW], name="other", tokenizer=with_words(letters, ["cat"])[0]).folder)
    with pytest.raises(PretrainingError, match="longer than the 32 positions"):
        prepare("--sequence-length", "33").check()
    with pytest.raises(PretrainingError, match=r"other was built with another vocabulary .* build it with --vocab"):
        prepare("--replay", other).check()
    with pytest.raises(PretrainingError, match="do not go with --new-pieces"):
        prepare("--replay", shards, "--new-pieces", "3").check()
    with pytest.raises(PretrainingError, match="one folder of shards, or texts"):
        prepare("--replay", "text.txt", shards).check()
    with pytest.raises(PreprocessingError, match="no examples of length 16"):
        prepare("--replay", shards, "--sequence-length", "16").check()


def test_nothing_held_out(prepare: Prepare, shards_of: Make) -> None:
    made = shards_of([ROW])
    preparation = prepare()
    preparation.layout.shards.parent.mkdir()
    Path(str(made.folder)).rename(preparation.layout.shards)
    with pytest.raises(PretrainingError, match="none of the 3 documents of your text was held out at --heldout-frac"):
        _ = preparation.mixture


def test_the_training_command_knows_its_steps_with_the_shards(prepare: Prepare, shards_of: Make) -> None:
    general = str(shards_of([ROW] * 7, name="general").folder)
    preparation = prepare("--replay", general, "--epochs", "2", "--training.batch_size", "4", "--replay-share", "0.2")
    command, steps = preparation.training_command()
    assert steps is None
    assert not any(word.startswith("--training.steps") for word in command)
    made = shards_of([ROW] * 12, [ROW])
    preparation.layout.shards.parent.mkdir()
    Path(str(made.folder)).rename(preparation.layout.shards)
    command, steps = preparation.training_command()
    assert steps == 8  # two passes over 12 + 3
    assert "--training.steps=8" in command
    assert f"--data.shards={preparation.layout.shards},{general}" in command
    assert f"--data.weights=1.0,{3 / 7!r}" in command
