"""Tokens and masks come out as our own loader gives them."""

import numpy as np
import pytest
import torch

from benchmarks.step_time import padded_inputs
from benchmarks.transformers_pretraining.records import IGNORED, Collator, Records, WholeBatches
from preprocessing.shards import ShardSet
from preprocessing.tokens.tokenizer import Tokenizer
from pretraining.data.examples import Examples
from pretraining.errors import PretrainingError

ROWS = [3, 59, 30, 0, 29, 41]  # of both shards, out of order


def test_static_masks_are_the_shards_own(sets: list[ShardSet]) -> None:
    records = Records(sets, 32)
    found = Collator(sets, 32, dynamic=False, seed=1)(records.__getitems__(ROWS))
    wanted = padded_inputs(Examples(sets, "train", 32).pack(np.array(ROWS)))
    assert found.keys() == wanted.keys()
    for name, tensor in wanted.items():
        assert torch.equal(found[name], tensor), name


def test_lengths_are_those_of_the_examples(sets: list[ShardSet]) -> None:
    records, examples = Records(sets, 32), Examples(sets, "train", 32)
    assert len(records) == len(examples) == 60
    assert records.lengths == examples.measure(np.arange(60))[0].tolist()


def test_dynamic_masks_are_of_the_whole_text(sets: list[ShardSet]) -> None:
    records, rows = Records(sets, 32), list(range(60))
    static = Collator(sets, 32, dynamic=False, seed=1)(records.__getitems__(rows))
    collator = Collator(sets, 32, dynamic=True, seed=1)
    once, again = (collator(records.__getitems__(rows)) for _ in range(2))
    whole = torch.where(static["labels"] == IGNORED, static["input_ids"], static["labels"])
    special = torch.isin(whole, torch.tensor([Tokenizer.load(sets[0].tokenizer_path).cls_id, 0]))
    for batch in (once, again):
        hidden = batch["labels"] != IGNORED
        assert torch.equal(batch["labels"][hidden], whole[hidden])
        assert torch.equal(batch["input_ids"][~hidden], whole[~hidden])
        assert not hidden[special].any()
        # As many as in the shards, on average: 240 of 1500 tokens, give or take four deviations.
        wanted = int((static["labels"] != IGNORED).sum())
        assert abs(int(hidden.sum()) - wanted) < 4 * wanted**0.5
    assert not torch.equal(once["labels"], again["labels"])
    assert torch.equal(once["token_type_ids"], static["token_type_ids"])


@pytest.mark.parametrize("grouped", [True, False])
def test_each_pass_has_another_order(grouped: bool) -> None:
    lengths = [number % 7 for number in range(30)]
    sampler = WholeBatches(lengths, 8, 1, grouped=grouped)
    first, second = list(sampler), list(sampler)
    assert len(sampler) == len(first) == len(set(first)) == 24
    assert first != second
    assert list(WholeBatches(lengths, 8, 1, grouped=grouped)) == first
    assert list(WholeBatches(lengths, 8, 2, grouped=grouped)) != first


def test_grouped_batches_are_padded_less() -> None:
    lengths = [number * 7 % 128 for number in range(512)]
    padding = {}
    for grouped in (True, False):
        rows = list(WholeBatches(lengths, 8, 1, grouped=grouped))
        sizes = torch.tensor([lengths[row] for row in rows]).view(-1, 8)
        padding[grouped] = int((sizes.amax(1, keepdim=True) - sizes).sum())
    assert padding[True] < 0.25 * padding[False]


def test_fewer_examples_than_a_batch() -> None:
    with pytest.raises(PretrainingError, match=r"hold 3 training examples, fewer than training\.batch_size 4"):
        WholeBatches([1, 2, 3], 4, 1, grouped=True)
