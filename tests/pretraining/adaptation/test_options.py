"""What a command line may say, and what depends on it."""

from pathlib import Path

import pytest

from pretraining.adaptation.options import RECIPE, read_options
from pretraining.errors import PretrainingError

REQUIRED = ["--model", "m", "--text", "t", "--output", "out"]


def test_defaults() -> None:
    options, training = read_options(REQUIRED)
    assert options.sources == {"text": ("t",)}
    assert (options.replay_share, options.heldout_fraction, options.epochs, options.steps) == (0.1, 0.1, 3.0, None)
    assert (options.objective, options.sequence_length, options.new_pieces) == ("auto", 128, 0)
    assert training.recipe == RECIPE
    assert training.is_shipped
    settings = training.settings()
    assert settings["data.masking"] == "dynamic"
    assert settings["optimizer.learning_rate"] == 1e-4
    assert "training.steps" not in settings  # follows from the options
    assert "checkpoint.every" not in settings  # changes no weight


def test_keys_of_a_recipe_pass_through() -> None:
    _, training = read_options(
        [*REQUIRED, "--optimizer.learning_rate", "5e-5", "--deepspeed.zero_optimization.stage=0"]
    )
    recipe = training.complete(["--training.steps=80"])
    assert (recipe.optimizer.learning_rate, recipe.stage, recipe.training.steps) == (5e-5, 0, 80)
    assert training.settings()["optimizer.learning_rate"] == 5e-5
    assert training.is_given("optimizer.learning_rate")
    assert not training.is_given("optimizer.beta1")


def test_from_a_file(tmp_path: Path) -> None:
    file = tmp_path / "adapt.toml"
    file.write_text('model = "m"\nbooks = ["a", "b"]\noutput = "out"\n[build.books]\ndocument = "chapter"\n')
    options, _ = read_options(["--config", str(file), "--epochs", "2"])
    assert (options.sources, options.epochs) == ({"books": ("a", "b")}, 2.0)
    assert options.build == {"books": {"document": "chapter"}}


@pytest.mark.parametrize(
    ("words", "sentence"),
    [
        (["--epoch", "3"], "--epoch is not an option of this program; did you mean --epochs"),
        (["more.txt"], "more.txt"),
        (["--optimizer.learning_rat", "1"], "did you mean --optimizer.learning-rate"),
        (["--training.steps", "9"], "--training.steps is set by this command; use --steps or --epochs"),
        (["--data.shards", "x"], "--data.shards is set by this command"),
        (["--checkpoint.resume", "no"], "--checkpoint.resume is set by this command"),
        (["--optimizer.learning_rate", "fast"], "learning"),
        (["--replay-share", "1"], "--replay-share 1"),
        (["--heldout-fraction", "0"], "--heldout-fraction 0"),
        (["--recipe", "none.toml"], "--recipe none.toml: no such file"),
        (["--objective", "both"], "--objective"),
        (["--build.vocab", "x"], "vocab is set by this command; use --model"),
        (["--build.sequence-lengths", "64"], "sequence_lengths is set by this command; use --sequence-length"),
    ],
)
def test_mistakes(words: list[str], sentence: str) -> None:
    with pytest.raises(PretrainingError) as raised:
        read_options([*REQUIRED, *words])
    assert sentence in str(raised.value)


def test_no_text() -> None:
    with pytest.raises(PretrainingError, match="no text to adapt to"):
        read_options(["--model", "m", "--output", "out"])


def test_how_work_is_shared_out_changes_no_result() -> None:
    def identity(*words: str) -> object:
        options, training = read_options([*REQUIRED, *words])
        return options.identity() | training.settings()

    same = identity("--workers", "3", "--processes", "2", "--output", "other", "--training.micro_batch_size", "4")
    assert same == identity()
    assert identity("--optimizer.beta1", "0.900") == identity()  # written otherwise
    for other in (["--seed", "2"], ["--new-pieces", "5"], ["--optimizer.beta1", "0.8"], ["--build.a", "b"]):
        assert identity(*other) != identity()
