"""The phases of pretraining as stages: each a recipe, on the chain's shards, from the weights of the one before."""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from cluster.chain.asked import ask, told
from cluster.chain.configuration import Configuration
from cluster.chain.progress import progress_of_run
from cluster.chain.stages import Stage, Wait, one_job
from cluster.chain.text_stages import Shards
from cluster.errors import ClusterError

PHASES = ("phase1", "phase2")


def pretraining_stages(configuration: Configuration, shards: Shards | None) -> list[Stage]:
    """The stages of `[phase1]` and `[phase2]`; `ClusterError` where a recipe is wrong or does not fit the others."""
    from pretraining.configuration.recipe import recipe_of, recipe_parser

    stages: list[Stage] = []
    before: Any = None
    names = [name for name in PHASES if name in configuration.tables]
    for name in names:
        own: dict[str, Any] = {"output.folder": str(configuration.output / name)}
        if shards is not None:
            own["data.shards"] = (str(shards.folder),)
        if stages:
            own["init.from"] = str(export_of(configuration, stages[-1].name))
        asked = ask(configuration, name, recipe_parser("pretraining/main.py", ""), own)
        with told(configuration, name):
            recipe = recipe_of(asked.parsed)
            is_last = name == names[-1]
            _check(recipe, before, shards, exported=not is_last or "finetune" in configuration.tables)
        stages.append(_stage(configuration, name, asked.words, recipe, [stage.name for stage in stages], shards))
        before = recipe
    return stages


def export_of(configuration: Configuration, phase: str) -> Path:
    """The folder that a finished phase leaves its model in."""
    return configuration.output / phase / "export"


def _check(recipe: Any, before: Any, shards: Shards | None, exported: bool) -> None:
    """Of a `pretraining.configuration.tables.Recipe`, and that of the phase before, if there is one."""
    length = recipe.data.sequence_length
    if shards is not None and length not in shards.sequence_lengths:
        made = ", ".join(map(str, shards.sequence_lengths))
        raise ClusterError(f"data.sequence_length {length}: the shards of [preprocess] have {made}; make them agree")
    if shards is None and not recipe.data.shards:
        raise ClusterError("data.shards is missing: name folders of shards, or add a table [preprocess]")
    if recipe.training.stop_at is not None:
        raise ClusterError("training.stop_at ends a run early, so nothing could follow; leave it out")
    if exported and not recipe.output.export:
        raise ClusterError("output.export is off, and a later stage starts from that model; leave it out")
    if before is None:
        return
    sizes = ("hidden_size", "num_hidden_layers", "num_attention_heads", "intermediate_size")
    mine, theirs = (
        recipe.model.build(recipe.model.vocab_size or 1024),
        before.model.build(before.model.vocab_size or 1024),
    )
    for size in sizes:
        if getattr(mine, size) != getattr(theirs, size):
            raise ClusterError(
                f"model.{size} is {getattr(mine, size)}, and {getattr(theirs, size)} in the phase before, whose "
                "weights it starts from; give both the same [model]"
            )


def _check_inputs(recipe: Any, shards: Shards | None, is_first: bool) -> None:
    """What no stage of the chain makes has to be there."""
    for folder in recipe.data.shards if shards is None else ():
        if not (Path(folder) / "manifest.json").is_file():
            raise ClusterError(f"data.shards {folder}: no finished shards are there (it has no manifest.json)")
    source = recipe.init.from_
    if is_first and source is not None and not Path(source).is_dir():
        raise ClusterError(f"init.from {source}: there is no such folder")


def _stage(
    configuration: Configuration,
    name: str,
    words: tuple[str, ...],
    recipe: Any,
    phases: Sequence[str],
    shards: Shards | None,
) -> Stage:
    needed = [*(() if shards is None else ("preprocess", "verify")), *phases[-1:]]
    needs: dict[str, Wait] = dict.fromkeys(needed, "afterok")
    folder = configuration.output / name
    slurm = configuration.slurm[name]

    def is_complete() -> bool:
        exported = not recipe.output.export or (folder / "export" / "config.json").is_file()
        return state_of(folder).get("status") == "finished" and exported

    def check() -> None:
        with told(configuration, name):
            _check_inputs(recipe, shards, is_first=not phases)

    return Stage(
        name,
        words,
        one_job("pretrain.sbatch", words),
        needs,
        (folder,),
        is_complete,
        lambda: progress_of_run(folder),
        check,
        slurm.words,
        slurm.variables,
    )


def state_of(folder: Path) -> dict[str, Any]:
    """What a run last wrote of itself; empty where there is nothing to read."""
    try:
        return dict(json.loads((folder / "state.json").read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        return {}
