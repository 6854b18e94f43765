"""The share of general text is that of the examples, and steps follow from passes over one's own text."""

from pathlib import Path

import pytest

from pretraining.adaptation.mixture import Mixture, mix, training_words
from pretraining.adaptation.options import read_options
from pretraining.data.sampler import Sampler

REQUIRED = ["--model", "m", "--text", "t", "--output", "out"]
SHARDS = [Path("own"), Path("general")]


@pytest.mark.parametrize(
    ("own", "general", "share"), [(900, 5000, 0.1), (1000, 3, 0.5), (997, 12345, 0.25), (9, 99, 0.1)]
)
def test_the_share_is_drawn(own: int, general: int, share: float) -> None:
    mixture = mix(own, general, share)
    sampler = Sampler.weighted((own, general), mixture.weights, seed=1)
    assert sampler.draws == (own, mixture.general_drawn)
    assert sampler.epoch_size == mixture.epoch
    assert abs(mixture.general_drawn - share * mixture.epoch) <= 0.5 / (1 - share)


def test_without_general_text() -> None:
    assert mix(10, 0, 0.1) == Mixture(10, 0, 0)
    assert mix(10, 50, 0.0).weights == (1.0,)
    assert mix(1, 50, 0.01).general_drawn == 1  # asked for, so some of it


def words_of(*more: str, mixture: Mixture) -> tuple[dict[str, str], int]:
    options, training = read_options([*REQUIRED, *more])
    words, steps = training_words(options, training, Path("start"), SHARDS, mixture)
    training.complete(words)
    return dict(word.removeprefix("--").split("=", 1) for word in words), steps


def test_steps_follow_from_passes() -> None:
    said, steps = words_of("--training.batch_size", "50", "--epochs", "2.5", mixture=mix(900, 5000, 0.1))
    assert steps == 50  # 2.5 passes over 900 and 100 examples
    assert said["training.steps"] == "50"
    assert said["schedule.warmup_steps"] == "3"  # 6 %
    assert said["data.shards"] == "own,general"
    assert said["data.weights"] == "1.0,0.02"
    assert (said["init.from"], said["output.folder"]) == ("start", "out")
    assert (said["data.seed"], said["training.seed"]) == ("1", "1")


def test_what_the_command_line_says_stays() -> None:
    said, steps = words_of(
        "--steps", "7", "--schedule.warmup_steps=5", "--training.seed", "9", "--seed", "4", mixture=mix(900, 0, 0.1)
    )
    assert steps == 7
    assert said["data.shards"] == "own"
    assert "schedule.warmup_steps" not in said
    assert "training.seed" not in said
    assert said["data.seed"] == "4"


def test_however_little_text() -> None:
    said, steps = words_of(mixture=mix(3, 0, 0.1))
    assert (steps, said["schedule.warmup_steps"]) == (2, "0")


def test_a_recipe_of_ones_own_has_its_own_warm_up(tmp_path: Path) -> None:
    recipe = tmp_path / "mine.toml"
    recipe.write_text("[training]\nsteps = 1\nbatch_size = 4\nmicro_batch_size = 4\n[schedule]\nwarmup_steps = 0\n")
    said, steps = words_of("--recipe", str(recipe), "--epochs", "1", mixture=mix(40, 0, 0.1))
    assert steps == 10
    assert "schedule.warmup_steps" not in said
