"""Fine-tuning once more, by other means: what the curves of a run are to be.

The model is that of `transformers`, in float64, on padded batches; AdamW, clipping and schedule are written out from
their formulas, and SplitMix64, which dropout is drawn by, from its paper. Every number of the recipe stands here a
second time, as a literal: nothing is imported from the code that is tested.
"""

import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor, nn

RATE, BATCH, EPOCHS, SEED = 3e-5, 32, 3, 1
WARMUP_SHARE, DECAY, CLIP, DROPOUT = 0.1, 0.01, 1.0, 0.1
BETA1, BETA2, EPSILON = 0.9, 0.999, 1e-8
HEADS, LAYERS = 2, 2  # of the checkpoint


@dataclass(frozen=True)
class Step:
    """One step of training: its peak-scaled rate, mean loss, and the gradient's norm before it is clipped."""

    rate: float
    loss: float
    norm: float


def rate_of(step: int, steps: int) -> float:
    """From 0 up to the peak at the last step of the warm-up, and down to 0 one step after the end."""
    warmup = math.ceil(WARMUP_SHARE * steps)
    return RATE * min(step / warmup, (steps + 1 - step) / (steps + 1 - warmup))


# Dropout: a key of the draw → of a token → of a place in the model → of a head → 16 bits for each column.


def splitmix(key: Any, number: Any) -> np.ndarray:
    """Output `number`, from 0, of SplitMix64 from the state `key` (Steele, Lea and Flood 2014, figure 16)."""
    with np.errstate(over="ignore"):
        state = np.asarray(key, np.uint64) + (np.asarray(number, np.uint64) + np.uint64(1)) * np.uint64(
            0x9E3779B97F4A7C15
        )
        state = (state ^ (state >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        state = (state ^ (state >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return state ^ (state >> np.uint64(31))


def seeded(seed: int) -> np.ndarray:
    """SplitMix64's finaliser alone: the output whose state, counted on, is `seed`."""
    with np.errstate(over="ignore"):
        return splitmix(np.uint64(seed) - np.uint64(0x9E3779B97F4A7C15), 0)


def mask_of(keys: np.ndarray, columns: int) -> Tensor:
    """[…] keys → float64 […, columns]: 0 where 16 bits are below a tenth of their range, else 1 / the share kept."""
    draws = splitmix(keys[..., None], np.arange((columns + 3) // 4))
    lanes = draws.astype("<u8").view("<u2")[..., :columns]
    dropped = round(DROPOUT * 65536)
    return torch.from_numpy((lanes >= dropped) * (65536 / (65536 - dropped)))


class Draws:
    """The masks of one padded batch: `numbers`, which draw of the run each sequence is."""

    def __init__(self, numbers: np.ndarray, longest: int) -> None:
        self.token_sl = splitmix(splitmix(seeded(SEED), numbers)[:, None], np.arange(longest))

    def hidden(self, site: int, columns: int) -> Tensor:
        return mask_of(splitmix(splitmix(self.token_sl, site), 0), columns)

    def attention(self, site: int) -> Tensor:
        """[s, heads, l, l]"""
        keys_sl = splitmix(self.token_sl, site)
        return mask_of(splitmix(keys_sl[:, None], np.arange(HEADS)[:, None]), keys_sl.shape[1])


class Masked(nn.Module):
    """Stands for one `nn.Dropout` of `transformers`."""

    def __init__(self, site: int) -> None:
        super().__init__()
        self.site = site
        self.draws: Draws | None = None

    def forward(self, hidden: Tensor) -> Tensor:
        assert self.draws is not None
        mask = self.draws.hidden(self.site, hidden.shape[-1])
        return hidden * (mask if hidden.dim() == 3 else mask[:, 0])  # the pooled [CLS] is the first token's


ARCHITECTURES = {
    "choice": "BertForMultipleChoice",
    "token": "BertForTokenClassification",
    "span": "BertForQuestionAnswering",
}
"""By kind; the others are `BertForSequenceClassification`."""


def masked_model(kind: str, checkpoint: Path, head: Mapping[str, Tensor], monkeypatch: pytest.MonkeyPatch) -> nn.Module:
    """That of `transformers` with the head given, and its dropout in the hands of `Draws`."""
    import transformers
    from transformers.models.bert import modeling_bert

    transformers.utils.logging.set_verbosity_error()  # it would warn of the pretraining heads
    transformers.utils.logging.disable_progress_bar()
    problem = {"problem_type": "multi_label_classification"} if kind == "multi_label" else {}
    settings = {"num_labels": len(head["bias"]), "attn_implementation": "eager", "dtype": torch.float64, **problem}
    architecture = ARCHITECTURES.get(kind, "BertForSequenceClassification")
    model = getattr(transformers, architecture).from_pretrained(checkpoint, **settings)
    (model.qa_outputs if kind == "span" else model.classifier).load_state_dict(head)
    model.bert.embeddings.dropout = Masked(0)
    for number, layer in enumerate(model.bert.encoder.layer):
        layer.attention.output.dropout, layer.output.dropout = Masked(2 + 3 * number), Masked(3 + 3 * number)
    if hasattr(model, "dropout"):
        model.dropout = Masked(1 + 3 * LAYERS)

    def attention(
        module: nn.Module, query: Tensor, key: Tensor, value: Tensor, mask: Tensor | None, scaling: float, **_: Any
    ) -> tuple[Tensor, None]:
        scores = query @ key.mT * scaling
        weights = (scores if mask is None else scores + mask).softmax(-1)  # none: nothing is padded
        weights = weights * model.draws.attention(1 + 3 * module.layer_idx)
        return (weights @ value).transpose(1, 2).contiguous(), None

    monkeypatch.setattr(modeling_bert, "eager_attention_forward", attention)
    return model.train()


def batch_of(split: Any, sequences: np.ndarray) -> dict[str, Tensor]:
    """Padded to the longest."""
    lengths = np.diff(split.offsets_s)[sequences]
    ids = np.zeros((len(sequences), lengths.max()), np.int64)
    for row, sequence in enumerate(sequences):
        ids[row, : lengths[row]] = split.input_ids_t[split.offsets_s[sequence] : split.offsets_s[sequence + 1]]
    places = np.arange(lengths.max())
    real = places < lengths[:, None]
    second = real & (places >= split.segment_b_start_s[sequences][:, None])
    named = {"input_ids": ids, "attention_mask": real.astype(np.int64), "token_type_ids": second.astype(np.int64)}
    return {name: torch.from_numpy(array) for name, array in named.items()}


def loss_of(model: nn.Module, kind: str, split: Any, items: np.ndarray, numbers: int) -> Tensor:
    """The mean loss of a batch as `transformers` computes it. `numbers`: draws of the run before this epoch."""
    sequences = (items[:, None] * split.group + np.arange(split.group)).reshape(-1)
    inputs = batch_of(split, sequences)
    model.draws = Draws(numbers + sequences, inputs["input_ids"].shape[1])
    for module in model.modules():
        if isinstance(module, Masked):
            module.draws = model.draws
    labels = torch.from_numpy(split.labels)
    if kind == "token":
        targets = torch.full_like(inputs["input_ids"], -100)
        for row, sequence in enumerate(sequences):
            words = slice(split.words.offsets_s[sequence], split.words.offsets_s[sequence + 1])
            targets[row, split.words.position_w[words]] = labels[words]
        return model(**inputs, labels=targets).loss
    if kind == "span":  # its own loss has softmax over padding too
        output = model(**inputs)
        outside = inputs["attention_mask"] == 0
        ends = (output.start_logits, output.end_logits)
        losses = [
            nn.functional.cross_entropy(end.masked_fill(outside, -torch.inf), labels[items, place])
            for place, end in enumerate(ends)
        ]
        return (losses[0] + losses[1]) / 2
    if kind == "choice":
        inputs = {name: tensor.unflatten(0, (len(items), split.group)) for name, tensor in inputs.items()}
    return model(**inputs, labels=labels[items].double() if labels.is_floating_point() else labels[items]).loss


def curve(model: nn.Module, kind: str, split: Any) -> Iterator[Step]:
    """Trains the model, step by step."""
    count = len(split.offsets_s) - 1
    items = count // split.group
    steps = math.ceil(items / BATCH) * EPOCHS
    parameters = dict(model.named_parameters())
    first = {name: torch.zeros_like(value) for name, value in parameters.items()}
    second = {name: torch.zeros_like(value) for name, value in parameters.items()}
    step = 0
    for epoch in range(EPOCHS):
        order = np.random.Generator(np.random.Philox(key=[SEED, epoch])).permutation(items)
        for start in range(0, items, BATCH):
            step += 1
            loss = loss_of(model, kind, split, order[start : start + BATCH], epoch * count)
            model.zero_grad()
            loss.backward()
            gradients = {name: value.grad for name, value in parameters.items()}
            norm = math.sqrt(sum(float((gradient**2).sum()) for gradient in gradients.values()))
            yield Step(rate_of(step, steps), loss.item(), norm)
            for name, value in parameters.items():
                gradient = gradients[name] * min(1.0, CLIP / norm)
                first[name] = BETA1 * first[name] + (1 - BETA1) * gradient
                second[name] = BETA2 * second[name] + (1 - BETA2) * gradient**2
                mean, square = first[name] / (1 - BETA1**step), second[name] / (1 - BETA2**step)
                decay = 0.0 if name.endswith("bias") or "LayerNorm" in name else DECAY
                with torch.no_grad():
                    value -= rate_of(step, steps) * (mean / (square.sqrt() + EPSILON) + decay * value)
