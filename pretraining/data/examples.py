"""Training examples of one or several shard sets, read straight from the mapped files into packed micro-batches.

Nothing is opened at start-up but the manifest's tables; a shard is mapped when an example of it is first asked for, and
the pages of the files are shared by all ranks of a node.
"""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch

from preprocessing.errors import PreprocessingError
from preprocessing.shards import ShardSet
from pretraining.data import packing_loops
from pretraining.data.dynamic_masking import MaskingVocabulary, mask_anew
from pretraining.data.mapped_shards import OF_PROCESS, MappedShards, Mappings
from pretraining.errors import PretrainingError
from pretraining.model.packing import PackedBatch

_SAMPLED_SHARDS = 64


def open_shard_sets(folders: Sequence[str | Path], sequence_length: int, vocabulary_size: int | None) -> list[ShardSet]:
    """Opens shard folders that one model can be trained on together.

    They must hold ``sequence_length``, share one tokenizer, and its vocabulary must fit ``vocabulary_size`` (None:
    any). No two may hold the same examples: whether a path is spelt otherwise, a link or a copy, the fingerprints say
    so.
    """
    if not folders:
        raise PretrainingError("no shards to train on: give --data.shards=FOLDER, the output folder of preprocessing")
    try:
        sets = [ShardSet.open(folder) for folder in folders]
        for shard_set in sets:
            shard_set.records("train", sequence_length)
        fingerprints = [shard_set.fingerprint for shard_set in sets]
    except PreprocessingError as error:
        raise PretrainingError(str(error)) from error
    for shard_set in sets:
        if shard_set.manifest.tokenizer_fingerprint != sets[0].manifest.tokenizer_fingerprint:
            raise PretrainingError(
                f"{shard_set.folder} was built with another vocabulary than {sets[0].folder}; "
                "build both with the same --vocab"
            )
    first_of: dict[str, ShardSet] = {}
    for shard_set, fingerprint in zip(sets, fingerprints, strict=True):
        same = first_of.setdefault(fingerprint, shard_set)
        if same is not shard_set:
            raise PretrainingError(
                f"data.shards: {same.folder} and {shard_set.folder} hold the same examples; name them once, and for "
                "more passes over them set data.weights"
            )
    vocabulary = sets[0].manifest.vocabulary_size
    if vocabulary_size is not None and vocabulary > vocabulary_size:
        raise PretrainingError(
            f"{sets[0].folder} was built with a vocabulary of {vocabulary} tokens and the model has {vocabulary_size}; "
            f"set model.vocab_size to {vocabulary}, or use shards of the model's own vocabulary"
        )
    return sets


class Examples:
    """All examples of one split and length, numbered through: set after set, shard after shard, row after row."""

    def __init__(
        self, sets: Sequence[ShardSet], split: str, sequence_length: int, mappings: Mappings = OF_PROCESS
    ) -> None:
        self.sequence_length = sequence_length
        self._all_records = [shard_set.records(split, sequence_length) for shard_set in sets]
        self._records = [records.with_rows() for records in self._all_records]
        self.set_sizes = [int(records.rows.sum()) for records in self._records]
        self.shards = MappedShards(sets, self._records, mappings)

    def __len__(self) -> int:
        return sum(self.set_sizes)

    @property
    def mean_tokens(self) -> float:
        """Mean tokens of an example, from the manifest."""
        return self._total("tokens") / max(1, len(self))

    @property
    def mean_masked(self) -> float:
        """Mean masked tokens of an example, from the manifest."""
        return self._total("masked_tokens") / max(1, len(self))

    def length_shares(self, draws: Sequence[int]) -> dict[int, float]:
        """Tokens of an example → how often one of that length comes where set i is drawn from ``draws[i]`` times.

        From the manifest's histograms of the first shards of each set: every shard is a sample of its whole corpus.
        """
        shares: dict[int, float] = {}
        for records, drawn in zip(self._all_records, draws, strict=True):
            # Of all records, and few: histograms of a selection are a copy.
            histogram = records.take(np.flatnonzero(records.rows > 0)[:_SAMPLED_SHARDS]).length_histogram()
            rows = sum(histogram.values())
            for length, count in histogram.items():
                shares[length] = shares.get(length, 0.0) + drawn * count / rows
        return shares

    def masked_share(self, draws: Sequence[int]) -> float:
        """Masked tokens per token where set i is drawn from ``draws[i]`` times, from the manifest."""
        totals = np.zeros(2)
        for records, drawn, size in zip(self._records, draws, self.set_sizes, strict=True):
            of_set = np.array([int(records.column(name).sum()) for name in ("tokens", "masked_tokens")])
            totals += drawn * of_set / max(size, 1)
        tokens, masked = totals.tolist()
        return float(masked / tokens)

    def measure(self, examples: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Tokens and masked tokens of each example: int64 arrays as long as ``examples`` (int64)."""
        self._require_known(examples)
        return self._measure(examples)

    def pack(
        self,
        examples: np.ndarray,
        *,
        passes: np.ndarray | None = None,
        seed: int = 0,
        vocabulary: MaskingVocabulary | None = None,
    ) -> PackedBatch:
        """One micro-batch of ``examples`` (int64), in their order; with a ``vocabulary`` it is masked anew."""
        self._require_known(examples)
        lengths, masked = self._measure(examples)
        token_edges, mask_edges = _edges(lengths), _edges(masked)
        tokens, masks = int(token_edges[-1]), int(mask_edges[-1])
        longest = int(lengths.max())
        if longest > self.sequence_length:
            where = self._where(int(examples[lengths.argmax()]))
            raise PretrainingError(
                f"{where} has {longest} tokens in shards of length {self.sequence_length}; build the shards again"
            )
        input_ids, segment_ids, position_ids = (np.empty(tokens, np.int64) for _ in range(3))
        masked_indices, masked_labels = np.empty(masks, np.int64), np.empty(masks, np.int64)
        is_random_next = np.empty(len(examples), np.int64)
        with self.shards.mappings.lock:
            for places in self.shards.parts(examples):
                wrong = packing_loops.pack(
                    self.shards.table,
                    examples,
                    places,
                    token_edges,
                    mask_edges,
                    input_ids,
                    segment_ids,
                    position_ids,
                    masked_indices,
                    masked_labels,
                    is_random_next,
                )
                self._check(wrong, examples)
        if vocabulary is not None:
            passes = np.zeros_like(examples) if passes is None else passes
            mask_anew(
                input_ids,
                token_edges,
                segment_ids,
                masked_indices,
                masked_labels,
                mask_edges,
                examples,
                passes,
                seed,
                vocabulary,
            )
        return PackedBatch(
            input_ids_t=torch.from_numpy(input_ids),
            segment_ids_t=torch.from_numpy(segment_ids),
            position_ids_t=torch.from_numpy(position_ids),
            cu_seqlens=torch.from_numpy(token_edges.astype(np.int32)),
            max_length=longest,
            masked_indices_m=torch.from_numpy(masked_indices),
            masked_labels_m=torch.from_numpy(masked_labels),
            is_random_next_s=torch.from_numpy(is_random_next),
        )

    def _measure(self, examples: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        lengths, masked = np.empty_like(examples), np.empty_like(examples)
        with self.shards.mappings.lock:
            for places in self.shards.parts(examples):
                wrong = packing_loops.measure(self.shards.table, examples, places, lengths, masked)
                self._check(wrong, examples)
        return lengths, masked

    def _require_known(self, examples: np.ndarray) -> None:
        if len(examples) and (examples.min() < 0 or examples.max() >= len(self)):
            raise IndexError(f"example {examples.min()} to {examples.max()} of {len(self)}")

    def _total(self, name: str) -> int:
        return sum(int(records.column(name).sum()) for records in self._records)

    def _check(self, place: int, examples: np.ndarray) -> None:
        if place != packing_loops.OK:
            raise PretrainingError(
                f"{self._where(int(examples[place]))} is corrupt; compare the shard with the sha256 in manifest.json, "
                "remove it and run the build again"
            )

    def place(self, example: int) -> tuple[Path, int]:
        """File and row of an example."""
        shard = int(self.shards.of_examples(np.array([example]))[0])
        shard_set, record = self.shards.locate(shard)
        return Path(shard_set.folder / record.name), example - int(self.shards.table.first_example[shard])

    def _where(self, example: int) -> str:
        path, row = self.place(example)
        return f"{path}, row {row},"


def _edges(counts: np.ndarray) -> np.ndarray:
    """Running sums from zero, int64[n + 1]."""
    edges = np.zeros(len(counts) + 1, np.int64)
    np.cumsum(counts, out=edges[1:])
    return edges
