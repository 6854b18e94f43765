"""The card of a fine-tuned model, from its run's result and what the model that it started from says of itself."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from finetuning.errors import FinetuningError
from finetuning.kinds.loading import kind_of
from finetuning.run.result import Result
from finetuning.run.specification import RunSpec
from finetuning.run.start import RANDOM
from finetuning.tasks.task import Hub, Task
from preprocessing.errors import PreprocessingError
from pretraining.model_card import lineage
from pretraining.model_card.card import Card, Score, write_card
from pretraining.model_card.code_version import code_version
from pretraining.model_card.markdown import block, number, plain, table
from pretraining.model_card.usage import USAGES


@dataclass(frozen=True)
class OverSeeds:
    """The main metric over the seeds of a sweep, of runs that differ in nothing else."""

    seeds: tuple[int, ...]
    scores: tuple[float, ...]
    """In their order."""
    failed: int
    """How many of the runs are no better than the constant answer, or diverged; their scores count."""
    mean: float
    standard_deviation: float | None
    interval: tuple[float, float] | None
    """Of the mean, 95 %; None for fewer than two runs."""


def describe_model(
    folder: Path, task: Task, labels: Sequence[str], result: Result, over_seeds: OverSeeds | None = None
) -> Path | None:
    """Writes `lineage.json` and the card into the folder of a saved model, whose weights are there.

    Args:
        folder: the model's.
        task: what it was trained on.
        labels: the classes in the order of the logits.
        result: of the run that trained it.
        over_seeds: what other seeds scored, where it is known.

    Returns:
        The card's file; None where somebody's own files have its names.

    Raises:
        FinetuningError: a file cannot be written.
    """
    try:
        steps = lineage.write_lineage(folder, _before(result.spec), _step(task, result))
        return write_card(folder, _card(task, labels, result, steps, over_seeds))
    except (PreprocessingError, OSError) as error:
        raise FinetuningError(str(error)) from error


def add_seeds(folder: Path, task: Task, labels: Sequence[str], result: Result, over_seeds: OverSeeds) -> Path | None:
    """Writes the card of a model that has one anew, with what other seeds scored; its lineage stays as it is.

    Raises:
        FinetuningError: there is no lineage that ends with these weights, or a file cannot be written.
    """
    steps = lineage.read_lineage(folder)
    if steps[-1].get("step") != _STEP:
        raise FinetuningError(
            f"{folder}: {lineage.LINEAGE_FILE} is not there or is of other weights; save the model again"
        )
    try:
        return write_card(folder, _card(task, labels, result, steps, over_seeds))
    except (PreprocessingError, OSError) as error:
        raise FinetuningError(str(error)) from error


_STEP = "fine-tuning"


def _before(spec: RunSpec) -> list[lineage.Step]:
    folder = Path(spec.model.removeprefix(RANDOM))
    if spec.random_weights or spec.model.startswith(RANDOM):
        return [{"step": "random weights", "configuration": str(folder)}]
    return lineage.read_lineage(folder)


def _step(task: Task, result: Result) -> lineage.Step:
    """What the last step of the lineage says."""
    return {
        "step": _STEP,
        "task": task.name,
        "started from": result.model,
        "encoder at the start": result.model_fingerprint,
        "seed": result.seed,
        "code": code_version(),
        "packages": dict(result.versions),
    }


def _card(
    task: Task,
    labels: Sequence[str],
    result: Result,
    steps: Sequence[lineage.Step],
    over_seeds: OverSeeds | None,
) -> Card:
    usage = USAGES[kind_of(task).architecture]
    return Card(
        name=f"BERT fine-tuned on {task.title or task.name}, seed {result.seed}",
        summary="\n\n".join(filter(None, (_summary(task, result), _failure(result)))),
        sections=(
            ("Use", _use(task, labels, usage.code)),
            ("Meant for, and limits", _LIMITS),
            ("Scores", _scores(task, result)),
            ("Over seeds", _over_seeds(result, over_seeds)),
            ("Data", _data(task, result)),
            ("Training", _training(result)),
            ("Lineage", lineage.as_list(steps)),
            ("Licence", _LICENCE),
        ),
        pipeline_tag=usage.pipeline_tag,
        languages=lineage.languages(steps),
        datasets=(hub.path,) if (hub := _hub(task, result.spec)) else (),
        tags=("fine-tuned",),
        scores=_model_index(task, result),
    )


def _summary(task: Task, result: Result) -> str:
    return (
        f"A BERT of {result.parameters:,} parameters, fine-tuned on {plain(task.title or task.name)} "
        f"({plain(kind_of(task).name)}): {plain(task.metric)} {number(result.score)} on {result.dev_rows:,} rows of "
        f"the {plain(task.dev[0])} split, by one run with seed {result.seed}. The best constant answer scores "
        f"{number(result.to_beat)}."
    )


def _failure(result: Result) -> str:
    """Said before anything else of a run that learnt nothing."""
    if result.diverged:
        return "**The loss of this run stopped being finite: do not use this model.**"
    if result.failure == "constant":
        return "**This run failed: it gives every row the same answer. Do not use this model.**"
    if result.failed_run:
        return "**This run failed: it is not better than the best constant answer. Do not use this model.**"
    return ""


_LIMITS = """\
Meant for rows like those of the task, in the language and of the kind of its training split; nothing here says how it
does on others. Its probabilities are not calibrated, and it answers every input, also one that makes no sense. What the
pretraining text and the task's rows have of prejudices and errors it takes over; nobody has measured these for it.
"""

_LICENCE = """\
Not chosen: `license: unknown` above is for whoever publishes the weights to replace, with a view to the licences of the
task's data, and of the text that the weights were first trained on.
"""


def _use(task: Task, labels: Sequence[str], code: str) -> str:
    parts = [
        block(code, "python"),
        "`FOLDER` is the folder of this card. For whole files, with the reading and cutting of training:",
        block("python -m finetuning.predict --model FOLDER --input new.jsonl --output answers.jsonl"),
    ]
    if labels:
        parts += ["Labels, in the order of the logits:", table(("logit", "label"), enumerate(labels))]
    return "\n\n".join(parts)


def _scores(task: Task, result: Result) -> str:
    rows = [[split, metric, number(value)] for (split, metric), value in _by_split(task, result.metrics).items()]
    return (
        f"{table(('split', 'metric', 'score'), rows)}\n\n"
        "Scores are fractions, those after the last epoch, of one run: another seed gives others."
    )


def _over_seeds(result: Result, over_seeds: OverSeeds | None) -> str:
    if over_seeds is None:
        return ""
    spread, interval = over_seeds.standard_deviation, over_seeds.interval
    said = f"The same run with {len(over_seeds.seeds)} seeds: mean {plain(result.metric)} {number(over_seeds.mean)}"
    said += f", standard deviation {number(spread)}" if spread is not None else ""
    said += f", 95 % interval of the mean {interval[0]:.4f} to {interval[1]:.4f}" if interval is not None else ""
    said += f"; {over_seeds.failed} of them failed" if over_seeds.failed else "; none failed"
    rows = [[seed, number(score)] for seed, score in zip(over_seeds.seeds, over_seeds.scores, strict=True)]
    return f"{said}.\n\n{table(('seed', result.metric), rows)}"


def _data(task: Task, result: Result) -> str:
    hub = _hub(task, result.spec)
    where = f"files beside {result.spec.task}" if result.spec.data is None else str(result.spec.data)
    if hub is not None:
        where = " ".join(filter(None, ("Hugging Face hub:", hub.path, hub.config, hub.revision)))
    facts = [
        ("from", where),
        ("training rows", number(result.train_rows)),
        (f"rows of {task.dev[0]}", number(result.dev_rows)),
    ]
    facts += [
        (f"rows of {name} cut at {counts.limit} tokens", f"{counts.truncated_rows:,} of {counts.rows:,}")
        for name, counts in result.truncation.items()
    ]
    notes = "\n".join(f"- {plain(note)}" for note in result.notes)
    return table(("", ""), facts) + (f"\n\nRemarkable:\n\n{notes}" if notes else "")


def _hub(task: Task, spec: RunSpec) -> Hub | None:
    """Where on the hub the rows came from; None where they came from files."""
    is_own = Path(spec.task).suffix == ".toml"
    return None if spec.data is not None or is_own else task.hub


def _training(result: Result) -> str:
    # Where a run lay, and on what, changes nothing that it learnt.
    settings = result.spec.model_dump(mode="json", exclude={"output", "device", "threads", "join_seconds"})
    facts = [
        ("precision", result.precision),
        ("training loss, last epoch", number(None if result.diverged else result.train_loss)),
        ("stopped early", "yes" if result.stopped_early else "no"),
    ]
    return f"{table(('', ''), facts)}\n\nAll settings:\n\n{block(json.dumps(settings, indent=1), 'json')}"


def _by_split(task: Task, metrics: Mapping[str, float]) -> dict[tuple[str, str], float]:
    """Metrics by split and name; a result writes those of the main split without it."""
    named = ((name.rpartition("/"), value) for name, value in metrics.items())
    return {(split or task.dev[0], metric): value for (split, _, metric), value in named}


def _model_index(task: Task, result: Result) -> tuple[Score, ...]:
    hub = task.hub
    dataset_id = task.name if hub is None else hub.path
    return tuple(
        Score(metric, value, task.title or task.name, dataset_id, split, None if hub is None else hub.config)
        for (split, metric), value in _by_split(task, result.metrics).items()
    )
