"""One run of the peer, from its first weights to its figures."""

import json
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from importlib.metadata import version
from pathlib import Path
from typing import Any

import torch
import transformers

from benchmarks.transformers_pretraining import plain, trainer
from benchmarks.transformers_pretraining.journal import Journal
from benchmarks.transformers_pretraining.outcome import export, figures_of, require_held_out
from benchmarks.transformers_pretraining.peer import peer_model, peer_optimizer
from benchmarks.transformers_pretraining.records import Collator, Records, WholeBatches
from benchmarks.transformers_pretraining.settings import Settings
from preprocessing.atomic_file import write_text
from preprocessing.owned_folder import held_folder
from preprocessing.shards import ShardSet
from pretraining.data.examples import open_shard_sets
from pretraining.devices.abilities import abilities_of
from pretraining.devices.precision import choose_precision
from pretraining.errors import PretrainingError
from pretraining.optimization.schedules import build_schedule
from pretraining.run.metrics import MetricsLog

MARKER = "settings.json"  # first: whose folder it is
RESULT = "result.json"  # last: all is there
EXPORT = "export"
_LOCK = "run.lock"
_PACKAGES = ("transformers", "torch", "datasets", "accelerate")


def run(settings: Settings, output: Path) -> str:
    """Does the run unless `output` has it already; returns a sentence that says what it came to.

    Raises:
        PretrainingError: wrong shards or settings, or a folder of another run.
        PreprocessingError: `output` is somebody else's, in use, or cannot be written to.
    """
    settings = _with_precision(settings)
    recipe = settings.recipe
    sets = open_shard_sets(settings.shards, recipe.data.sequence_length, recipe.model.vocab_size)
    identity = settings.identity([shard_set.fingerprint for shard_set in sets])
    identity["versions"] = {name: version(name) for name in _PACKAGES}
    with held_folder(output, MARKER, _LOCK):
        _require_same(output, identity)
        if (output / RESULT).is_file():
            return f"{output} is complete, nothing was done: {_sentence(json.loads((output / RESULT).read_text()))}"
        if (output / MARKER).is_file():
            print(f"{output} holds a run that did not end: it begins anew", file=sys.stderr)
        write_text(output / MARKER, _json(identity))
        result = {**identity, **_train(settings, sets, output)}
        write_text(output / RESULT, _json(result))
    return f"{output}: {_sentence(result)}"


def _train(settings: Settings, sets: Sequence[ShardSet], output: Path) -> dict[str, Any]:
    """Trains, exports and evaluates; returns the totals and the held-out figures."""
    recipe = settings.recipe
    length, asked = recipe.data.sequence_length, recipe.evaluation
    if asked.examples:
        require_held_out(sets, length)
    torch.set_num_threads(settings.threads)
    transformers.utils.logging.set_verbosity_error()
    transformers.utils.logging.disable_progress_bar()
    model = peer_model(recipe, sets)
    optimizer = peer_optimizer(model, recipe.optimizer)
    records = Records(sets, length)
    sampler = WholeBatches(records.lengths, recipe.training.batch_size, recipe.data.seed, grouped=settings.is_grouped)
    collator = Collator(sets, length, dynamic=recipe.data.masking == "dynamic", seed=recipe.data.seed)
    log = MetricsLog(output, tensorboard=False, resumed_step=0)

    def figures(folder: Path) -> dict[str, dict[str, Any]]:
        return figures_of(folder, sets, length, asked.examples, settings.threads)

    def figures_meanwhile() -> dict[str, dict[str, Any]]:
        with tempfile.TemporaryDirectory() as scratch:
            export(model, sets[0], Path(scratch) / EXPORT)
            return figures(Path(scratch) / EXPORT)

    journal = Journal(
        schedule=build_schedule(recipe.schedule, recipe.optimizer.learning_rate, recipe.training.steps),
        log=log,
        log_every=recipe.output.log_every,
        evaluate_every=asked.every if asked.examples else 0,
        evaluate=figures_meanwhile,
    )
    parts = (settings, model, optimizer, records, sampler, collator, journal)
    try:
        if settings.loop == "plain":
            plain.train(*parts)
        else:
            with tempfile.TemporaryDirectory() as scratch:
                trainer.train(*parts, scratch)
        export(model, sets[0], output / EXPORT)
        evaluation = figures(output / EXPORT) if asked.examples else {}
        journal.write_evaluation(evaluation)
    finally:
        log.close()
    return {**journal.totals(), "evaluation": evaluation}


def _with_precision(settings: Settings) -> Settings:
    """`auto` becomes what our own runs take on this processor."""
    choice = choose_precision(settings.recipe.training.precision, abilities_of(torch.device("cpu")))
    if choice.reason:
        print(choice.reason, file=sys.stderr)
    training = settings.recipe.training.model_copy(update={"precision": choice.precision})
    return replace(settings, recipe=settings.recipe.model_copy(update={"training": training}))


def _require_same(output: Path, identity: dict[str, Any]) -> None:
    """PretrainingError where the folder holds a run with other settings."""
    if not (output / MARKER).is_file():
        return
    try:
        found = json.loads((output / MARKER).read_text(encoding="utf-8"))
        differing = sorted(key for key in identity if found[key] != identity[key])
    except (ValueError, KeyError, TypeError) as error:
        raise PretrainingError(f"{output / MARKER} is damaged; remove the folder, or give another --output") from error
    if differing:
        raise PretrainingError(
            f"{output} holds a run with other settings ({', '.join(differing)}); give another --output, or remove it"
        )


def _sentence(result: dict[str, Any]) -> str:
    said = f"{result['steps']} steps, {result['tokens']} tokens in {result['seconds']:.1f} s"
    said += f" ({result['cpu_seconds']:.1f} s of the processor)"
    if figures := result["evaluation"].get("all"):
        said += f"; held out: loss {figures['loss']:.4f}, masked tokens {figures['mlm_accuracy']:.4f} right"
    return said


def _json(content: Any) -> str:
    return json.dumps(content, indent=1) + "\n"
