"""Compares the ledger of a run with another run's, or with what its recipe and shards say."""

import json
from dataclasses import dataclass
from pathlib import Path

from pretraining.configuration.tables import Recipe
from pretraining.data.dynamic_masking import vocabulary_of
from pretraining.data.examples import Examples, open_shard_sets
from pretraining.data.loader import Loader
from pretraining.data.sampler import PassedOver, Position, Sampler
from pretraining.errors import PretrainingError
from pretraining.run.checkpoint.files import TRAINER, checkpoint_folder, checkpoint_steps
from pretraining.run.ledger import extended
from pretraining.run.metrics import read_metrics
from pretraining.run.saved.saved_run import read_recipe
from pretraining.run.trainer_state import TrainerState


@dataclass(frozen=True)
class Outcome:
    """What a comparison found."""

    same: bool
    text: str


def written_ledger(run: Path) -> dict[int, str]:
    """The digests that a run wrote down, by step; PretrainingError where there are none."""
    lines = read_metrics(run / "metrics.jsonl")
    digests = {int(line["step"]): str(line["ledger"]) for line in lines if line.get("ledger")}
    if not digests:
        raise PretrainingError(f"{run} has no ledger yet: metrics.jsonl there holds no logged step")
    return digests


def compare_with_run(first: Path, second: Path) -> Outcome:
    """Compares at the steps that both logged; PretrainingError where there is none."""
    mine, theirs = written_ledger(first), written_ledger(second)
    common = sorted(mine.keys() & theirs.keys())
    if not common:
        raise PretrainingError(f"{first} and {second} logged no step in common; train with the same output.log_every")
    return _outcome(mine, theirs, common, f"{first} and {second}")


def compare_with_recipe(run: Path) -> Outcome:
    """Reads every example again that the run should have seen, in one process and without training.

    PretrainingError where something else than the recipe's order was asked for on the way: other shards, or another
    seed, accepted with checkpoint.allow.
    """
    recipe, written = read_recipe(run), written_ledger(run)
    lines = read_metrics(run / "metrics.jsonl")
    changed = [line for line in lines if str(line.get("event", "")).startswith("resumed with other")]
    for line in changed:
        if keys := sorted(key for key in line["settings"] if key.startswith("data.") or key == "training.batch_size"):
            raise PretrainingError(
                f"{run} went on with another {', '.join(keys)} at step {line['step']}, so no single recipe says what "
                "it saw; compare it with another run"
            )
    expected = _expected(recipe, max(written), run)
    return _outcome(written, expected, sorted(written), f"{run} and its recipe")


def _expected(recipe: Recipe, steps: int, run: Path) -> dict[int, str]:
    """The digest after each step; the steps that the run went back over are passed over as it did."""
    sets = open_shard_sets(recipe.data.shards, recipe.data.sequence_length, recipe.model.vocab_size)
    examples = Examples(sets, "train", recipe.data.sequence_length)
    passed_over = _passed_over(run)
    loader = Loader(
        examples=examples,
        sampler=Sampler.weighted(tuple(examples.set_sizes), recipe.data.weights, recipe.data.seed),
        batch_size=recipe.training.batch_size,
        micro_batches=1,
        rank=0,
        ranks=1,
        hidden_size=1,
        vocabulary=vocabulary_of(sets[0]) if recipe.data.masking == "dynamic" else None,
        passed_over=passed_over,
    )
    digests, digest = {}, ""
    for step, batch in enumerate(loader.batches(Position(), steps), start=1):
        digest = extended(digest, [batch.fingerprint])
        digests[step] = digest
    return digests


def _passed_over(run: Path) -> tuple[PassedOver, ...]:
    """What the run left out: a rewind saves it at once."""
    steps = checkpoint_steps(checkpoint_folder(run))
    if not steps:
        return ()
    trainer = json.loads((checkpoint_folder(run) / f"step{max(steps)}" / TRAINER).read_text(encoding="utf-8"))
    return TrainerState.from_json(trainer["state"]).passed_over


def _outcome(mine: dict[int, str], theirs: dict[int, str], steps: list[int], names: str) -> Outcome:
    """Digests run on: where they agree at a step they agree at all before it."""
    good = [step for step in steps if mine[step] == theirs[step]]
    if len(good) == len(steps):
        return Outcome(True, f"{names}: the same examples in the same order up to step {steps[-1]}, {mine[steps[-1]]}")
    last = max(good, default=0)
    first = next(step for step in steps if step > last)
    return Outcome(False, f"{names}: the same examples up to step {last}, others between it and step {first}")
