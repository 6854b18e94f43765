"""Settles what a recipe leaves to the device: the precision, and whether the layers are compiled."""

from dataclasses import dataclass
from importlib.util import find_spec

from pretraining.configuration.tables import Recipe
from pretraining.devices.abilities import VOLTA, Abilities
from pretraining.devices.precision import choose_precision
from pretraining.model.config import PUBLISHED_VOCABULARY
from pretraining.planning.flops import assumed_work, datasheet_tflops, training_flops

LEAST_SECONDS = 1200.0
"""Planned length of a run from which compiling wins: on an H200 it took 63 s and saved 12 % of the time or more
(docs/gpu.md), which 20 minutes earn back twice."""
_ASSUMED_MFU, _ASSUMED_TFLOPS = 0.35, 100.0  # the latter where no datasheet is known


@dataclass(frozen=True)
class Settled:
    """A recipe that leaves nothing to the device, and what was decided, in sentences."""

    recipe: Recipe
    sentences: tuple[str, ...]
    is_compiling_asked_for: bool = False  # by the recipe itself: a compiler that fails ends the run then


def settle(recipe: Recipe, device: Abilities, ranks: int) -> Settled:
    """The recipe with `training.precision` and `model.compile` as this device takes them.

    A function of the recipe, the kind of device and the number of ranks; ranks on other devices find out when they
    meet. PretrainingError for a precision that the device has not.
    """
    choice = choose_precision(recipe.training.precision, device, recipe.stage)
    training = recipe.training.model_copy(update={"precision": choice.precision})
    recipe = recipe.model_copy(update={"training": training})
    compiles, reason = choose_compiling(recipe, device, ranks)
    asked = recipe.model.compile == "true"
    model = recipe.model.model_copy(update={"compile": "true" if compiles else "false"})
    sentences = tuple(sentence for sentence in (choice.reason, reason) if sentence)
    return Settled(recipe.model_copy(update={"model": model}), sentences, asked)


def choose_compiling(recipe: Recipe, device: Abilities, ranks: int) -> tuple[bool, str]:
    """Whether the layers are compiled, and why; no reason where the recipe says it."""
    if recipe.model.compile != "auto":
        return recipe.model.compile == "true", ""
    if device.compute_capability is None:
        return False, "model.compile is off: on the CPU the model has kernels of its own"
    if device.compute_capability < VOLTA:
        return False, f"model.compile is off: Triton needs compute capability 7.0, and this is {device.described}"
    if recipe.stage == 3:
        return False, "model.compile is off: ZeRO stage 3 gathers weights inside the layers"
    if recipe.training.deterministic:
        return False, "model.compile is off: with training.deterministic kernels must not be chosen by their speed"
    if find_spec("triton") is None:
        return False, "model.compile is off: the package triton is not installed"
    seconds = planned_seconds(recipe, device, ranks)
    if seconds < LEAST_SECONDS:
        return False, (
            f"model.compile is off: a run of about {seconds:,.0f} s would hardly win back the minute that it takes"
        )
    return True, f"model.compile is on: {device.described}, and a run of about {seconds / 3600:,.1f} hours"


def planned_seconds(recipe: Recipe, device: Abilities, ranks: int) -> float:
    """Roughly what the steps of the run will take, on sequences filled as usual, at an MFU of 35 %."""
    steps = recipe.training.stop_at or recipe.training.steps
    work = assumed_work(recipe.data.sequence_length, recipe.training.batch_size)
    tflops = datasheet_tflops(device.name, recipe.training.precision) or _ASSUMED_TFLOPS
    flops = training_flops(recipe.model.build(PUBLISHED_VOCABULARY), work) * steps
    return min(flops / (ranks * tflops * 1e12 * _ASSUMED_MFU), recipe.schedule.seconds or float("inf"))
