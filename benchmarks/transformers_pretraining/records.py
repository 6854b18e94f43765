"""The shards as users of `transformers` read them: `datasets` over the mapped Arrow files, and a collator that pads.

A batch is gathered as one Arrow table and padded by numpy, without a Python object for each token: the fastest way that
`datasets` offers.
"""

from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
import torch
from datasets import Dataset, concatenate_datasets
from torch import Tensor
from transformers import AutoTokenizer, DataCollatorForLanguageModeling
from transformers.trainer_pt_utils import get_length_grouped_indices

from preprocessing.shards import ShardSet
from pretraining.data.dynamic_masking import vocabulary_of
from pretraining.data.examples import Examples
from pretraining.errors import PretrainingError

COLUMNS = ("input_ids", "segment_b_start", "masked_positions", "masked_labels", "is_random_next")
IGNORED = -100  # what cross-entropy leaves out
_SPECIAL = 3  # tokens of an example that no mask may hide: [CLS] and both [SEP]


class Records(torch.utils.data.Dataset[Any]):
    """The training examples of some shard sets, numbered as `Examples` numbers them."""

    def __init__(self, sets: Sequence[ShardSet], length: int) -> None:
        files = [
            shard_set.folder / record.name
            for shard_set in sets
            for record in shard_set.records("train", length).with_rows().files()
        ]
        dataset = concatenate_datasets([Dataset.from_file(str(file)) for file in files])
        self.dataset = dataset.select_columns(list(COLUMNS)).with_format("arrow")
        self.lengths: list[int] = pc.list_value_length(self.dataset.data.column("input_ids")).to_pylist()

    def __len__(self) -> int:
        return len(self.lengths)

    def __getitems__(self, rows: list[int]) -> pa.Table:
        """These examples as one table; a `DataLoader` asks for a whole batch at a time where there is this method."""
        return self.dataset[rows]


class Collator:
    """A table of `Records` as the keyword arguments of `transformers.BertForPreTraining`, int64 [examples, longest].

    With `dynamic` masks the static ones are undone and `DataCollatorForLanguageModeling` draws others, which differ
    from ours: each token is masked for itself, as often on average as in the shards, and a random replacement may be
    any piece.
    """

    def __init__(self, sets: Sequence[ShardSet], length: int, *, dynamic: bool, seed: int) -> None:
        tokenizer = AutoTokenizer.from_pretrained(str(sets[0].tokenizer_path))
        self._pad_id = int(tokenizer.pad_token_id)
        self._special = torch.tensor(tokenizer.all_special_ids)
        self._drawing: DataCollatorForLanguageModeling | None = None
        if dynamic:
            for shard_set in sets:
                if vocabulary_of(shard_set).whole_words:
                    raise PretrainingError(
                        f"{shard_set.folder} masks whole words and transformers would mask pieces of them anew; use "
                        "--set data.masking=static, or shards without whole-word masks"
                    )
            examples = Examples(sets, "train", length)
            share = examples.mean_masked / (examples.mean_tokens - _SPECIAL)
            self._drawing = DataCollatorForLanguageModeling(tokenizer, mlm_probability=share)
            self._drawing.generator = torch.Generator().manual_seed(seed)

    def __call__(self, table: pa.Table) -> dict[str, Tensor]:
        ids, positions, masked = (
            table.column(name).combine_chunks() for name in ("input_ids", "masked_positions", "masked_labels")
        )
        lengths, masks = _sizes(ids), _sizes(positions)
        place = np.arange(lengths.max())
        inside = place < lengths[:, None]
        input_ids = np.full(inside.shape, self._pad_id, np.int64)
        input_ids[inside] = ids.flatten().to_numpy()
        labels = np.full(inside.shape, IGNORED, np.int64)
        hidden = np.repeat(np.arange(len(masks)), masks), positions.flatten().to_numpy()
        labels[hidden] = masked.flatten().to_numpy()
        second = table.column("segment_b_start").to_numpy()[:, None]
        ids_sl, labels_sl = torch.from_numpy(input_ids), torch.from_numpy(labels)
        if self._drawing is not None:
            whole_sl = torch.where(labels_sl == IGNORED, ids_sl, labels_sl)
            fixed_sl = torch.isin(whole_sl, self._special)
            ids_sl, labels_sl = self._drawing.torch_mask_tokens(whole_sl, special_tokens_mask=fixed_sl)
        return {
            "input_ids": ids_sl,
            "token_type_ids": torch.from_numpy(((place >= second) & inside).astype(np.int64)),
            "attention_mask": torch.from_numpy(inside.astype(np.int64)),
            "labels": labels_sl,
            "next_sentence_label": torch.from_numpy(table.column("is_random_next").to_numpy().astype(np.int64)),
        }


class WholeBatches(torch.utils.data.Sampler[int]):
    """Another order of the examples in each pass, in whole batches of `batch_size`; what is left of a pass is not seen.

    Grouped, it is the order of `group_by_length`: up to 50 random batches at a time, sorted by length.
    """

    def __init__(self, lengths: list[int], batch_size: int, seed: int, *, grouped: bool) -> None:
        if len(lengths) < batch_size:
            raise PretrainingError(
                f"the shards hold {len(lengths)} training examples, fewer than training.batch_size {batch_size}; "
                "lower it"
            )
        self._lengths, self._batch_size, self._is_grouped = lengths, batch_size, grouped
        self._generator = torch.Generator().manual_seed(seed)

    def __len__(self) -> int:
        return len(self._lengths) // self._batch_size * self._batch_size

    def __iter__(self) -> Iterator[int]:
        if self._is_grouped:
            order = get_length_grouped_indices(self._lengths, self._batch_size, generator=self._generator)
        else:
            order = torch.randperm(len(self._lengths), generator=self._generator).tolist()
        return iter(order[: len(self)])


def _sizes(lists: pa.ListArray) -> np.ndarray:
    """Values of each list, int64."""
    return lists.value_lengths().to_numpy(zero_copy_only=False).astype(np.int64)
