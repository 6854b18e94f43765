"""Named entities from frozen features by a two-layer BiLSTM (Devlin et al. 2018, section 5.3, table 7)."""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn.utils.rnn import pack_sequence

from finetuning.errors import FinetuningError
from finetuning.kinds.answers.predictions import Prediction
from finetuning.kinds.encoding.layout import UNLABELLED
from finetuning.kinds.loading import kind_of
from finetuning.kinds.rows import SplitRows, TokenRow
from finetuning.kinds.scoring import check_metrics, labels_of, with_losses
from finetuning.run.features import extract
from finetuning.run.identity.inputs import inputs_of
from finetuning.run.length import log_truncation, max_length
from finetuning.run.loop import Trained
from finetuning.run.outcome import constant_of, result_of, score_splits
from finetuning.run.ranks import start_ranks
from finetuning.run.remarks import data_remarks, training_remarks
from finetuning.run.result import Result
from finetuning.run.specification import RunSpec
from finetuning.run.splits import read_splits, task_of
from finetuning.run.start import load_start
from preprocessing.progress import SILENT, Progress
from pretraining.devices.transfer import sent

logger = logging.getLogger(__name__)


WEIGHTED = {"weighted-sum-last-four": "concat-last-four", "weighted-sum-all": "concat-all"}
"""Sums with learnt weights → the features that they are sums of."""


@dataclass(frozen=True)
class BiLstmOptions:
    """Of the tagger; the paper gives its two layers and its width only."""

    layers: str = "concat-last-four"
    """Of `features.LAYERS`, or one of `WEIGHTED`."""
    width: int = 768
    """Of each direction."""
    dropout: float = 0.5

    def __post_init__(self) -> None:
        """FinetuningError for a value that no tagger can have."""
        if self.width < 1:
            raise FinetuningError(f"--width {self.width}: must be at least 1")
        if not 0 <= self.dropout < 1:
            raise FinetuningError(f"--dropout {self.dropout:g}: must be at least 0 and less than 1")

    @property
    def text(self) -> str:
        """All of them in words."""
        return f"{self.layers}, width {self.width}, dropout {self.dropout:g}"


class WeightedSum(nn.Module):
    """γ · Σ softmax(w)_j h_j over the states of a word that lie side by side (Peters et al. 2018, ELMo, equation 1).

    The paper says "weighted sum" and not how; so are the weights of ELMo, with which its table compares. They begin
    equal.
    """

    def __init__(self, states: int) -> None:
        super().__init__()
        self.weights = nn.Parameter(torch.zeros(states))
        self.scale = nn.Parameter(torch.ones(()))

    def forward(self, words: Tensor) -> Tensor:
        """[words, states · width] → [words, width]."""
        states = words.unflatten(-1, (len(self.weights), -1))
        return self.scale * torch.einsum("j,wjh->wh", self.weights.softmax(0), states)


class BiLstmTagger(nn.Module):
    """Two BiLSTM layers and a linear layer over the words of a sentence; `states`: of a weighted sum, 1 without one."""

    def __init__(self, features: int, classes: int, options: BiLstmOptions, states: int = 1) -> None:
        super().__init__()
        self.mix = WeightedSum(states) if states > 1 else nn.Identity()
        self.dropout = nn.Dropout(options.dropout)
        inputs = features // states
        self.lstm = nn.LSTM(inputs, options.width, num_layers=2, bidirectional=True, dropout=options.dropout)
        self.head = nn.Linear(2 * options.width, classes)

    def forward(self, sentences: Sequence[Tensor]) -> list[Tensor]:
        """[words, features] of each sentence → logits [words, classes] of each."""
        packed = pack_sequence([self.dropout(self.mix(words)) for words in sentences], enforce_sorted=False)
        hidden, _ = self.lstm(packed)
        padded, lengths = nn.utils.rnn.pad_packed_sequence(hidden, batch_first=True)
        logits = self.head(self.dropout(padded))
        return [row[:length] for row, length in zip(logits, lengths.tolist(), strict=True)]


def run_bilstm(spec: RunSpec, options: BiLstmOptions | None = None, progress: Progress = SILENT) -> Result:
    """Extract features once, train the tagger on them, score it, and write the run's folder as `run` does.

    The result's task is named `TASK-features (OPTIONS)`: a report mixes it neither with fine-tuned runs nor with
    another tagger's.

    Raises:
        FinetuningError: not a token task, a fraction of an epoch, or wrong input.
    """
    options = options or BiLstmOptions()
    if not spec.epochs.is_integer():
        raise FinetuningError(f"--epochs {spec.epochs:g}: the BiLSTM trains whole epochs only")
    began = time.perf_counter()
    task = task_of(spec)
    inputs = inputs_of(spec)
    kind = kind_of(task)
    if not kind.has_words:
        raise FinetuningError(f"{task.name} is a {task.kind} task; the BiLSTM tags words, so it needs a token task")
    check_metrics(task)
    ranks = start_ranks(spec)
    splits = read_splits(task, spec)
    labels, notes = labels_of(task, splits)
    torch.manual_seed(spec.seed)
    start = load_start(spec, task)
    positions = start.encoder.config.max_position_embeddings
    length, shorter = max_length(spec.sequence_length, task.sequence_length, positions, task.name)
    encoded = {name: kind.encode(task, split.rows, start.tokenizer, labels, length) for name, split in splits.items()}
    cut = log_truncation({name: split.cut.counts for name, split in encoded.items()})
    layers = WEIGHTED.get(options.layers, options.layers)
    sentences = {
        name: extract(start.encoder, encoded[name], split.rows, layers, "word", ranks.device, spec.output, progress)
        for name, split in splits.items()
    }
    width = sentences["train"][0].shape[1]
    states = width // start.encoder.config.hidden_size if options.layers in WEIGHTED else 1
    tagger = BiLstmTagger(width, len(labels), options, states).to(ranks.device)
    trained = _train(tagger, sentences["train"], splits["train"], labels, spec, ranks.device, progress)

    def predicted(name: str) -> list[Prediction]:
        return with_losses(_predict(tagger, sentences[name], splits[name], labels, ranks.device), encoded[name])

    diverged = training_remarks(spec, trained) if trained.diverged else ()
    description = f"two-layer BiLSTM on frozen features ({options.text})"
    result = result_of(
        spec,
        task,
        start,
        splits,
        score_splits(task, splits, spec, predicted, is_first=ranks.is_first),
        trained,
        constant=constant_of(task, splits),
        model=tagger,
        encoded=encoded,
        seconds=time.perf_counter() - began,
        inputs=inputs,
        notes=(description, *notes, *data_remarks(task, splits), *shorter, *cut, *diverged),
        name=f"{task.name}-features ({options.text})",
    )
    for note in result.notes:
        if note != description:
            logger.warning("%s", note)
    result.write(spec.output)
    return result


def _train(
    tagger: BiLstmTagger,
    sentences: Sequence[NDArray[np.float32]],
    split: SplitRows,
    labels: Sequence[str],
    spec: RunSpec,
    device: torch.device,
    progress: Progress,
) -> Trained:
    optimiser = torch.optim.Adam(tagger.parameters(), lr=spec.learning_rate)
    number = {label: index for index, label in enumerate(labels)}
    targets = [[number.get(tag, UNLABELLED) for tag in _token_row(row).tags or ()] for row in split.rows]
    filled = [index for index, words in enumerate(sentences) if len(words)]
    mean, epochs, began = math.nan, int(spec.epochs), time.perf_counter()
    for epoch in progress.over(range(epochs), "train", epochs, "epochs"):
        tagger.train()
        order = np.random.Generator(np.random.Philox(key=[spec.seed, epoch])).permutation(filled)
        total, steps = torch.zeros((), dtype=torch.float64, device=device), 0
        for low in range(0, len(order), spec.batch_size):
            chosen = order[low : low + spec.batch_size]
            loss = loss_of(tagger, [sentences[index] for index in chosen], [targets[index] for index in chosen], device)
            loss.backward()
            if spec.gradient_clip:
                nn.utils.clip_grad_norm_(tagger.parameters(), spec.gradient_clip)
            optimiser.step()
            optimiser.zero_grad(set_to_none=True)
            total, steps = total + loss.detach().double(), steps + 1
        mean = float(total) / max(steps, 1)
        if not math.isfinite(mean):
            break
    return Trained((time.perf_counter() - began) / epochs, mean, diverged=not math.isfinite(mean))


def loss_of(
    tagger: BiLstmTagger,
    sentences: Sequence[NDArray[np.float32]],
    targets: Sequence[Sequence[int]],
    device: torch.device,
) -> Tensor:
    """Mean cross-entropy in nats over the labelled words of a batch. All words go to the device in one copy."""
    words = sent(torch.from_numpy(np.concatenate(sentences)), device).split([len(sentence) for sentence in sentences])
    gold = sent(torch.tensor([tag for sentence in targets for tag in sentence]), device)
    return F.cross_entropy(torch.cat(tagger(words)), gold, ignore_index=UNLABELLED)


@torch.no_grad()
def _predict(
    tagger: BiLstmTagger,
    sentences: Sequence[NDArray[np.float32]],
    split: SplitRows,
    labels: Sequence[str],
    device: torch.device,
) -> list[Prediction]:
    tagger.eval()
    result = []
    for words, row in zip(sentences, split.rows, strict=True):
        tags: list[str] = []
        shares: list[float] = []
        if len(words):
            probabilities = tagger([torch.from_numpy(words).to(device)])[0].softmax(-1).nan_to_num()
            best = probabilities.max(-1)
            tags = [labels[index] for index in best.indices.tolist()]
            shares = [round(share, 4) for share in best.values.tolist()]
        gold = _token_row(row).tags
        result.append(Prediction(row.id, None if gold is None else list(gold), tags, shares))
    return result


def _token_row(row: object) -> TokenRow:
    assert isinstance(row, TokenRow)
    return row
