"""New masks for every pass: as many, elsewhere, 80/10/10, and a function of seed, pass and example alone."""

import numpy as np
import pytest

from benchmarks.synthetic_shards import write_shards
from preprocessing.tokens.tokenizer import Tokenizer
from pretraining.data.dynamic_masking import MaskingVocabulary
from pretraining.data.examples import Examples, open_shard_sets
from pretraining.model.packing import PackedBatch


@pytest.fixture(scope="module")
def examples(tmp_path_factory: pytest.TempPathFactory) -> Examples:
    folder = write_shards(tmp_path_factory.mktemp("data") / "shards", lengths=(64,), shards=1, rows=600)
    return Examples(open_shard_sets([folder], 64, None), "train", 64)


@pytest.fixture(scope="module")
def vocabulary(examples: Examples) -> MaskingVocabulary:
    tokenizer = Tokenizer.load(examples.shards.locate(0)[0].tokenizer_path)
    return MaskingVocabulary(tokenizer.mask_id, tokenizer.ordinary_ids, tokenizer.is_continuation, whole_words=False)


def unmasked(batch: PackedBatch) -> np.ndarray:
    ids = batch.input_ids_t.numpy().copy()
    ids[batch.masked_indices_m.numpy()] = batch.masked_labels_m.numpy()
    return ids


def test_same_text_same_counts_new_places(examples: Examples, vocabulary: MaskingVocabulary) -> None:
    rows = np.arange(600)
    static, dynamic = examples.pack(rows), examples.pack(rows, vocabulary=vocabulary)
    assert (unmasked(static) == unmasked(dynamic)).all()
    row_of = np.searchsorted(static.cu_seqlens.numpy(), dynamic.masked_indices_m.numpy(), side="right")
    row_before = np.searchsorted(static.cu_seqlens.numpy(), static.masked_indices_m.numpy(), side="right")
    assert (np.bincount(row_of) == np.bincount(row_before)).all()
    assert (np.diff(dynamic.masked_indices_m.numpy()) > 0).all()
    same = np.intersect1d(static.masked_indices_m.numpy(), dynamic.masked_indices_m.numpy()).size
    assert same / len(static.masked_indices_m) < 0.3


def test_special_tokens_are_never_masked(examples: Examples, vocabulary: MaskingVocabulary) -> None:
    batch = examples.pack(np.arange(600), vocabulary=vocabulary)
    assert batch.masked_labels_m.min() >= vocabulary.ordinary_ids.min()


def test_shares_of_the_three_fates(examples: Examples, vocabulary: MaskingVocabulary) -> None:
    batch = examples.pack(np.arange(600), vocabulary=vocabulary)
    shown = batch.input_ids_t[batch.masked_indices_m].numpy()
    count, labels = len(shown), batch.masked_labels_m.numpy()
    assert count > 4000
    assert abs((shown == vocabulary.mask_id).mean() - 0.8) < 4 * np.sqrt(0.16 / count)
    # A random replacement is the original once in 60 draws.
    assert abs((shown == labels).mean() - (0.1 + 0.1 / 60)) < 4 * np.sqrt(0.09 / count)
    assert np.isin(shown[shown != vocabulary.mask_id], vocabulary.ordinary_ids).all()


def test_every_place_is_as_likely(examples: Examples, vocabulary: MaskingVocabulary) -> None:
    """Over 400 passes of one example each ordinary place is masked about as often as any other."""
    row = np.array([0])
    counts = np.zeros(64)
    for number in range(400):
        batch = examples.pack(row, passes=np.array([number]), vocabulary=vocabulary)
        counts[batch.masked_indices_m.numpy()] += 1
    ordinary = counts[counts > 0]
    share = ordinary.mean() / 400
    assert (np.abs(ordinary / 400 - share) < 5 * np.sqrt(share * (1 - share) / 400)).all()


def test_depends_on_seed_pass_and_example_only(examples: Examples, vocabulary: MaskingVocabulary) -> None:
    def masks(rows: list[int], number: int, seed: int) -> list[int]:
        passes = np.full(len(rows), number)
        batch = examples.pack(np.array(rows), passes=passes, seed=seed, vocabulary=vocabulary)
        start = int(batch.cu_seqlens[-2])  # of the last row
        return [index - start for index in batch.masked_indices_m.tolist() if index >= start]

    row = int(examples.measure(np.arange(600))[1].argmax())
    reference = masks([row], 0, 1)
    assert len(reference) > 5
    assert masks([9, 2, row], 0, 1) == reference
    assert masks([row], 1, 1) != reference
    assert masks([row], 0, 2) != reference


def test_whole_words_stay_whole(examples: Examples, vocabulary: MaskingVocabulary) -> None:
    """With every second piece a continuation, pieces are masked two by two but for the odd one of an odd budget."""
    is_continuation = np.arange(len(vocabulary.is_continuation)) % 2 == 0
    whole = MaskingVocabulary(vocabulary.mask_id, vocabulary.ordinary_ids, is_continuation, whole_words=True)
    rows = np.arange(300)
    batch, static = examples.pack(rows, vocabulary=whole), examples.pack(rows)
    assert len(batch.masked_indices_m) == len(static.masked_indices_m)
    text, masked = unmasked(batch), np.zeros(batch.tokens, bool)
    masked[batch.masked_indices_m.numpy()] = True
    torn = per_row = 0
    for start, stop in zip(batch.cu_seqlens[:-1].tolist(), batch.cu_seqlens[1:].tolist(), strict=True):
        per_row += 1
        for index in range(start + 2, stop):
            ordinary = text[index - 1] >= 5 and text[index] >= 5
            torn += bool(ordinary and is_continuation[text[index]] and masked[index] != masked[index - 1])
    assert torn <= 2 * per_row  # at most one word a row, where nothing smaller fits
    assert torn < len(batch.masked_indices_m) / 10
