"""Training that was interrupted: all that it takes to go on as if nothing had been, in one file of the run's folder.

Written when a run is asked to end, and gone when its result is there. Of one device only: under DeepSpeed a run starts
anew.
"""

from __future__ import annotations

import hashlib
import json
import logging
from dataclasses import asdict, dataclass, field

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import load_file, save_file
from torch import Tensor

from finetuning.atomic_file import replacing
from finetuning.kinds.encoding.layout import EncodedSplit
from finetuning.run.engine import Engine, LocalEngine
from finetuning.run.identity.effects import fields_with
from finetuning.run.precision import precision_on
from finetuning.run.resume.training_file import METADATA, TRAINING_FILE
from finetuning.run.specification import RunSpec
from pretraining.model.config import BertConfig

logger = logging.getLogger(__name__)

MODEL, OPTIMISER, RANDOM, RANDOM_CUDA = "model.", "optimiser.", "random", "random_cuda"
_MAY_CHANGE = fields_with("none", "kept") - {"evaluate_every_epoch"}
"""Fields under which training goes on; epochs that are over cannot be scored any more."""
_READ = {"model", "data", "tokenizer"}
"""Known by what was read, wherever it lies now."""


@dataclass
class Position:
    """Where training stands: after `step` steps in all, of which `epoch_steps` in `epoch`, which counts from 0."""

    step: int = 0
    epoch: int = 0
    epoch_steps: int = 0
    epoch_loss: float = 0.0
    """Sum of the losses of the epoch's steps."""
    seconds: float = 0.0
    """That training took, without scoring."""
    epoch_scores: list[float] = field(default_factory=list)
    is_scored: bool = False
    """Whether the last of them is the epoch's own."""

    def begin_epoch(self, epoch: int) -> None:
        """Go on to an epoch, unless it is the one that was interrupted."""
        if epoch != self.epoch:
            self.epoch, self.epoch_steps, self.epoch_loss, self.is_scored = epoch, 0, 0.0, False


class SavedTraining:
    """Saves and restores the training of one run.

    Args:
        spec: the run.
        fingerprint: of the weights that it starts from.
        config: of its model.
        split: its training split.
    """

    def __init__(self, spec: RunSpec, fingerprint: str, config: BertConfig, split: EncodedSplit) -> None:
        self.path = spec.output / TRAINING_FILE
        self._spec, self._fingerprint, self._config, self._split = spec, fingerprint, config, split
        self._engine: Engine | None = None
        self._position = Position()

    def restore(self, engine: Engine) -> Position:
        """Put model, optimiser and random state as they were; a new position where there is nothing to go on with.

        What was saved by a run of other options, weights or data is passed over, with a remark. The position that is
        returned is the one that `save` writes: training moves it on.
        """
        self._engine = engine
        if isinstance(engine, LocalEngine) and self.path.is_file():
            self._position = self._read(engine)
        return self._position

    def _read(self, engine: LocalEngine) -> Position:
        try:
            with safe_open(self.path, "pt") as file:
                content = json.loads(file.metadata()[METADATA])
            tensors = load_file(self.path)
        except (SafetensorError, ValueError, KeyError, TypeError) as error:
            logger.warning("%s is damaged (%s): training starts anew", self.path, error)
            return Position()
        if content["of"] != self._identity(engine):
            logger.warning("%s is of other options, weights or data: training starts anew", self.path)
            return Position()
        _restore(engine, tensors)
        position = Position(**content["position"])
        logger.info("goes on after step %d, where it was interrupted", position.step)
        return position

    def save(self) -> None:
        """Write the file, complete or not at all. Nothing is written under DeepSpeed, or before the first step."""
        engine, position = self._engine, self._position
        if not isinstance(engine, LocalEngine) or not position.step:
            return
        content = {"of": self._identity(engine), "position": asdict(position)}
        with replacing(self.path) as temporary:
            save_file(_tensors(engine), temporary, metadata={METADATA: json.dumps(content)})
        logger.info("interrupted: saved after step %d", position.step)

    def remove(self) -> None:
        """The run has its result."""
        self.path.unlink(missing_ok=True)

    def _identity(self, engine: LocalEngine) -> str:
        precision = precision_on(self._spec.precision, engine.device)  # what another device makes of "auto" is another
        spec = self._spec.model_copy(update={"precision": precision})
        digest = hashlib.sha256(spec.model_dump_json(exclude={*_MAY_CHANGE, *_READ}).encode())
        digest.update(self._fingerprint.encode())
        # Dropout and activation are in no weight.
        digest.update(self._config.model_dump_json().encode())
        split = self._split
        for array in (split.input_ids_t, split.offsets_s, split.segment_b_start_s, split.labels):
            digest.update(np.ascontiguousarray(array).data)
        return digest.hexdigest()


def _tensors(engine: LocalEngine) -> dict[str, Tensor]:
    tensors = {f"{MODEL}{name}": tensor for name, tensor in engine.model.state_dict().items()}
    for number, state in engine.optimiser.state_dict()["state"].items():
        tensors |= {f"{OPTIMISER}{number}.{name}": tensor for name, tensor in state.items()}
    tensors[RANDOM] = torch.get_rng_state()
    if engine.device.type == "cuda":
        tensors[RANDOM_CUDA] = torch.cuda.get_rng_state(engine.device)
    return {name: tensor.detach().cpu().contiguous().clone() for name, tensor in tensors.items()}


def _restore(engine: LocalEngine, tensors: dict[str, Tensor]) -> None:
    engine.model.load_state_dict(
        {name.removeprefix(MODEL): tensor for name, tensor in tensors.items() if name.startswith(MODEL)}
    )
    states: dict[int, dict[str, Tensor]] = {}
    for name, tensor in tensors.items():
        if name.startswith(OPTIMISER):
            number, _, key = name.removeprefix(OPTIMISER).partition(".")
            states.setdefault(int(number), {})[key] = tensor
    groups = engine.optimiser.state_dict()["param_groups"]
    engine.optimiser.load_state_dict({"state": states, "param_groups": groups})
    torch.set_rng_state(tensors[RANDOM])
    if engine.device.type == "cuda" and RANDOM_CUDA in tensors:
        torch.cuda.set_rng_state(tensors[RANDOM_CUDA], engine.device)
