"""The feature-based approach (Devlin et al. 2018, section 5.3): hidden states of a frozen encoder, to Arrow."""

from __future__ import annotations

import logging
import re
import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Literal

import numpy as np
import pyarrow as pa
import torch
from numpy.typing import NDArray
from torch import Tensor

from finetuning.atomic_file import replacing
from finetuning.errors import FinetuningError
from finetuning.kinds.batches import collate, prediction_batches
from finetuning.kinds.encoding.documents import document_bounds
from finetuning.kinds.encoding.layout import EncodedSplit
from finetuning.kinds.encoding.ragged import ragged, starts_of
from finetuning.kinds.encoding.truncation import Truncation, together
from finetuning.kinds.loading import kind_of, read_new, read_split
from finetuning.kinds.rows import Row, SplitRows, TokenRow
from finetuning.run.length import log_truncation, max_length
from finetuning.run.start import Start
from finetuning.tasks.task import Task
from preprocessing.progress import SILENT, Progress
from pretraining.model.bert import BertModel
from pretraining.model.config import BertConfig

logger = logging.getLogger(__name__)

Level = Literal["cls", "mean", "word"]
LAYERS = (
    *("embeddings", "second-to-last", "last", "sum-last-four", "concat-last-four", "sum-all", "concat-all"),
    "layer:N",
)
"""The rows of table 7 of the paper, with plain sums for its weighted ones, all layers side by side, and any single one
(0: embeddings). Weights are learnt with what reads the features, so the BiLSTM has them: `finetuning.run.bilstm`."""
IN_MEMORY = 2**31
"""Bytes of features up to which they are kept in memory: those of all layers of CoNLL-2003 take 11 GB."""
CHUNK_ROWS = 512


def layer_mix(layers: str, count: int) -> Callable[[Sequence[Tensor]], Tensor]:
    """How to make one vector of a piece from its `count + 1` hidden states, embeddings first.

    Raises:
        FinetuningError: the name is unknown, or the encoder has no such layer.
    """
    if match := re.fullmatch(r"layer:(\d+)", layers):
        number = int(match[1])
        if number > count:
            raise FinetuningError(f"--layers {layers}: the encoder has {count} layers; choose layer:0 to layer:{count}")
        return lambda states: states[number]
    if layers in ("sum-last-four", "concat-last-four") and count < 4:
        raise FinetuningError(f"--layers {layers}: the encoder has only {count} layers; choose last or layer:N")
    mixes: dict[str, Callable[[Sequence[Tensor]], Tensor]] = {
        "embeddings": lambda states: states[0],
        "second-to-last": lambda states: states[-2],
        "last": lambda states: states[-1],
        "sum-last-four": lambda states: torch.stack(list(states[-4:])).sum(0),
        "concat-last-four": lambda states: torch.cat(list(states[-4:]), -1),
        "sum-all": lambda states: torch.stack(list(states[1:])).sum(0),
        "concat-all": lambda states: torch.cat(list(states[1:]), -1),
    }
    if layers not in mixes:
        raise FinetuningError(f"--layers {layers}: unknown; choose one of {', '.join(LAYERS)}")
    return mixes[layers]


def width_of(layers: str, config: BertConfig) -> int:
    """How many numbers a vector of these layers has."""
    parts = {"concat-last-four": 4, "concat-all": config.num_hidden_layers}
    return config.hidden_size * parts.get(layers, 1)


@torch.no_grad()
def extract(
    encoder: BertModel,
    split: EncodedSplit,
    rows: Sequence[Row],
    layers: str,
    level: Level,
    device: torch.device,
    folder: Path | None = None,
    progress: Progress = SILENT,
) -> list[NDArray[np.float32]]:
    """Features of each row in order: [width] for `cls` and `mean`, [words, width] for `word`.

    A row of several sequences (a long sentence) has the mean of their vectors, or all its words. A word without
    pieces has zeros. Where they are more than `IN_MEMORY` they lie in a file without a name in `folder`, if that is
    given.
    """
    mix = layer_mix(layers, encoder.config.num_hidden_layers)
    encoder = encoder.to(device).eval()
    sizes = [len(row.words) if isinstance(row, TokenRow) and level == "word" else 1 for row in rows]
    first_r = starts_of(np.array(sizes, np.int64))
    features = _zeros((int(first_r[-1]), width_of(layers, encoder.config)), folder)
    weights = np.zeros(len(rows))
    with progress.count("extract", split.items, "sequences") as count:
        for items in prediction_batches(split, 8192):
            count.advance(len(items))
            on_host = collate(split, items)
            batch, edges = on_host.to(device), on_host.packed.cu_seqlens.numpy()
            mixed_th = mix(list(encoder.hidden_states(batch.packed)))
            if level == "word":
                assert split.words is not None
                assert batch.word_indices_w is not None
                first_w = split.words.offsets_s[items]
                chosen = ragged(first_w, split.words.offsets_s[items + 1] - first_w)
                places = first_r[split.words.row_w[chosen]] + split.words.word_w[chosen]
                features[places] = mixed_th.index_select(0, batch.word_indices_w).cpu().numpy()
                continue
            array = mixed_th.cpu().numpy()
            for number, item in enumerate(items):
                piece_vectors = array[edges[number] : edges[number + 1]]
                features[split.row_i[item]] += piece_vectors[0] if level == "cls" else piece_vectors.mean(0)
                weights[split.row_i[item]] += 1
    if level == "word":
        return [features[low:high] for low, high in pairwise(first_r.tolist())]
    return [vector / max(weight, 1) for vector, weight in zip(features, weights, strict=True)]


def _zeros(shape: tuple[int, int], folder: Path | None) -> NDArray[np.float32]:
    if folder is None or 4 * shape[0] * shape[1] <= IN_MEMORY:
        return np.zeros(shape, np.float32)
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryFile(dir=folder) as file:  # the map keeps it until nobody uses it
        return np.memmap(file, np.float32, "w+", shape=shape)


@dataclass(frozen=True)
class Features:
    """What an Arrow file of features holds."""

    rows: int
    width: int
    truncation: Truncation


def write_features(
    path: Path,
    split: SplitRows,
    start: Start,
    task: Task,
    layers: str,
    level: Level,
    device: torch.device,
    length: int | None = None,
    progress: Progress = SILENT,
) -> Features:
    """Write an Arrow IPC file with the columns `id` and `features` (float32), and `words` and `tags` at word level.

    `features` is list<float32> of the width, or list<list<float32>> with one vector per word; `lost_tokens` (int64) is
    how many tokens of the row did not fit into `length` (left out: the task's, or the model's positions). Rows are
    encoded and written in runs, so that the vectors never lie in memory all at once.
    """
    kind, rows = kind_of(task), split.rows
    if level == "word" and not kind.has_words:
        raise FinetuningError(f"--level word needs a token task, {task.name} is a {task.kind} task; use cls or mean")
    if level != "word":
        task = task.model_copy(update={"context": "sentence"})  # a row is one text, and has a vector of its own
    config = start.encoder.config
    layer_mix(layers, config.num_hidden_layers)
    length, notes = max_length(length, task.sequence_length, config.max_position_embeddings, task.name)
    width = width_of(layers, config)
    vector = pa.list_(pa.float32(), width)
    fields = [pa.field("id", pa.string()), pa.field("features", pa.list_(vector) if level == "word" else vector)]
    if level == "word":
        fields += [pa.field("words", pa.list_(pa.string())), pa.field("tags", pa.list_(pa.string()))]
    fields.append(pa.field("lost_tokens", pa.int64()))
    schema = pa.schema(fields, metadata={"layers": layers, "level": level, "model": start.fingerprint})
    truncations: list[Truncation] = []
    with (
        replacing(path) as temporary,
        pa.OSFile(str(temporary), "wb") as sink,
        pa.ipc.new_stream(sink, schema) as writer,
        progress.count("extract", len(rows), "rows") as count,
    ):
        for chunk in _chunks(task, rows):
            # Labels play no part in features: any one class lets unlabelled rows through.
            encoded = kind.encode(task, chunk, start.tokenizer, task.labels, length)
            truncations.append(encoded.cut.counts)
            features = extract(start.encoder, encoded, chunk, layers, level, device)
            columns = [pa.array([row.id for row in chunk]), _vectors(features, width, level)]
            if level == "word":
                tokens = [row for row in chunk if isinstance(row, TokenRow)]
                columns += [pa.array([list(row.words) for row in tokens], pa.list_(pa.string()))]
                columns += [pa.array([list(row.tags or ()) for row in tokens], pa.list_(pa.string()))]
            columns.append(pa.array(encoded.cut.lost_r, pa.int64()))
            writer.write_batch(pa.record_batch(columns, schema=schema))
            count.advance(len(chunk))
    truncation = together(truncations)
    for note in (*split.notes, *notes, *log_truncation({split.name: truncation})):
        logger.warning("%s", note)
    return Features(len(rows), width, truncation)


def _chunks(task: Task, rows: Sequence[Row]) -> Iterator[Sequence[Row]]:
    """Runs of about `CHUNK_ROWS` rows; where a document is read as a whole, it is not cut."""
    low = 0
    if task.context == "document":
        for _, high in document_bounds([row for row in rows if isinstance(row, TokenRow)]):
            if high - low >= CHUNK_ROWS:
                yield rows[low:high]
                low = high
    for start in range(low, len(rows), CHUNK_ROWS):
        yield rows[start : start + CHUNK_ROWS]


def _vectors(features: Sequence[NDArray[np.float32]], width: int, level: Level) -> pa.Array:
    flat = pa.array(np.concatenate([vector.reshape(-1) for vector in features]))
    vectors = pa.FixedSizeListArray.from_arrays(flat, width)
    if level != "word":
        return vectors
    offsets = np.cumsum([0, *(len(words) for words in features)]).astype(np.int32)
    return pa.ListArray.from_arrays(pa.array(offsets), vectors)


def read_rows(task: Task, source: Path | None, data: Path | None, split: str) -> SplitRows:
    """Rows of a file with new text, or of a task's split."""
    if source is not None:
        return read_new(task, source)
    if split not in task.splits:
        raise FinetuningError(f"--split {split}: {task.name} has {', '.join(task.splits)}")
    found = read_split(task, split, data)
    if found is None:
        raise FinetuningError(f"{data}: the {split} split of {task.name} is not there")
    return found
