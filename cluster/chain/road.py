"""A `run.toml` as a chain: all its stages, each checked by its own command before anything is submitted."""

import os
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from cluster.chain.configuration import read_configuration
from cluster.chain.finetuning_stages import finetuning_stages
from cluster.chain.pretraining_stages import pretraining_stages
from cluster.chain.stages import Stage
from cluster.chain.text_stages import text_stages


@dataclass(frozen=True)
class Chain:
    """The stages in order, below one folder; `variables` go into the environment of all jobs."""

    file: Path
    output: Path
    stages: tuple[Stage, ...]
    variables: Mapping[str, str] = field(default_factory=dict)

    def complete(self) -> dict[str, bool]:
        """By name of stage whether its files say that it is complete, now."""
        return {stage.name: stage.is_complete() for stage in self.stages}


def read_chain(file: Path) -> Chain:
    """The chain that a file asks for; `ClusterError` in one sentence for whatever can be known to be wrong."""
    configuration = read_configuration(file)
    text, shards = text_stages(configuration)
    stages = [*text, *pretraining_stages(configuration, shards), *finetuning_stages(configuration)]
    return Chain(file, configuration.output, tuple(stages), _environment())


def _environment() -> dict[str, str]:
    """The jobs' virtual environment is the one that checked the file, unless another is named."""
    if sys.prefix == sys.base_prefix or os.environ.get("VIRTUAL_ENV_FOLDER"):
        return {}
    return {"VIRTUAL_ENV_FOLDER": sys.prefix}
