"""The commands of an adaptation, said and not run."""

import shlex

from pretraining.adaptation.layout import WHEN
from pretraining.adaptation.preparation import Preparation


def lines(preparation: Preparation) -> list[str]:
    """A comment for each step, and its command where it is one."""
    options, layout = preparation.options, preparation.layout
    steps: list[tuple[str, list[str]]] = []
    if options.new_pieces:
        first = preparation.build_command(layout.first_shards, preparation.source.folder, options.sources)
        steps.append(("your text, as the vocabulary cuts it now", first))
        steps.append((f"{layout.pieces}: {options.new_pieces} new pieces, chosen by this command", []))
    steps.append((f"{layout.start}: the model to start from, written by this command", []))
    steps.append(("your text", preparation.build_command(layout.shards, layout.start, options.sources)))
    if preparation.builds_general:
        steps.append(("general text", preparation.general_command()))
    for when in WHEN:
        if when == "after":
            steps.append(_training(preparation))
        for text in preparation.texts:
            steps.append((f"held-out figures, {text}, {when}", preparation.evaluation_command(text, when)))
    steps.append((f"{layout.result} and the card of {layout.export}: written by this command", []))
    return [line for what, words in steps for line in (f"# {what}", *([shlex.join(words)] if words else []))]


def _training(preparation: Preparation) -> tuple[str, list[str]]:
    command, steps = preparation.training_command()
    if steps is None:
        missing = "--training.steps, --schedule.warmup_steps and --data.weights follow from the shards"
        return f"training; {missing}", command
    return f"training, {steps} steps", command
