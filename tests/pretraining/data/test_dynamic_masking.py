"""New masks for every pass: as many, elsewhere, 80/10/10, and a function of seed, pass and example alone."""

from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from benchmarks.synthetic_shards import write_shards
from preprocessing.tokens.tokenizer import SPECIAL_TOKENS, Tokenizer, build
from pretraining.data.dynamic_masking import MaskingVocabulary, _setting, mask_anew, vocabulary_of
from pretraining.data.examples import Examples, open_shard_sets
from pretraining.model.packing import PackedBatch
from pretraining.splitmix import draw, mix


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


MASK, ORDINARY = 4, np.arange(5, 40)


def masked_by_definition(
    ids: list[int], segments: list[int], budget: int, key: np.uint64, continues: np.ndarray | None
) -> tuple[list[int], list[int]]:
    """Masked positions and the ids shown, with lists: a row's words in random order as far as they fit."""

    def uniform(counter: int) -> float:
        return (int(draw(key, counter)) >> 11) / 2**53

    inner = [at for at in range(1, len(ids) - 1) if segments[at + 1] == segments[at]]
    words: list[list[int]] = []
    for at in inner:
        if continues is not None and words and continues[ids[at]] and words[-1][-1] == at - 1:
            words[-1].append(at)
        else:
            words.append([at])
    fates, counter = {}, 0
    for drawn in range(len(words)):
        if len(fates) == budget:
            break
        other = drawn + int(uniform(counter) * (len(words) - drawn))
        words[drawn], words[other] = words[other], words[drawn]
        counter += 1
        if len(fates) + len(words[drawn]) <= budget:
            share = uniform(counter)
            counter += 1
            fates |= dict.fromkeys(words[drawn], "mask" if share < 0.8 else "random" if share < 0.9 else "original")
    for at in inner:
        if len(fates) < budget:
            fates.setdefault(at, "mask")
    shown = list(ids)
    for at in sorted(fates):
        if fates[at] == "mask":
            shown[at] = MASK
        elif fates[at] == "random":
            shown[at] = int(ORDINARY[int(uniform(counter) * len(ORDINARY))])
            counter += 1
    return sorted(fates), shown


@pytest.mark.parametrize("whole_words", [False, True])
def test_masks_equal_their_definition(whole_words: bool) -> None:
    """Rows of every length and budget, one after another; the masks that were there are undone first."""
    generator = np.random.default_rng(7)
    continues = np.arange(40) % 3 == 0
    seed, rows = -5, []
    for number in range(120):
        size_a, size_b = (int(size) for size in generator.integers(1, 9, 2))
        ids = [2, *generator.integers(5, 40, size_a), 3, *generator.integers(5, 40, size_b), 3]
        rows.append(
            ([int(token) for token in ids], [0] * (size_a + 2) + [1] * (size_b + 1), number % (size_a + size_b + 1))
        )
    rows.append(([2, 5, 6, 7, 9, 3], [0] * 6, 2))
    token_edges = np.cumsum([0, *(len(ids) for ids, _, _ in rows)])
    mask_edges = np.cumsum([0, *(budget for _, _, budget in rows)])
    original = np.concatenate([ids for ids, _, _ in rows])
    segments = np.concatenate([kinds for _, kinds, _ in rows])
    indices = np.concatenate(
        [
            low + 1 + np.arange(budget, dtype=np.int64)
            for low, (_, _, budget) in zip(token_edges[:-1], rows, strict=True)
        ]
    )
    ids, labels = original.copy(), original[indices]
    ids[indices] = MASK
    examples, passes = np.arange(len(rows)) * 7 + 2**40, np.arange(len(rows)) % 3
    mask_anew(
        ids,
        token_edges,
        segments,
        indices,
        labels,
        mask_edges,
        examples,
        passes,
        seed,
        MaskingVocabulary(MASK, ORDINARY, continues, whole_words),
    )
    for row, (before, kinds, budget) in enumerate(rows):
        key = np.uint64(mix(np.uint64(seed & 0xFFFFFFFFFFFFFFFF)))  # compiled code answers with a plain integer
        for number in (passes[row], examples[row]):
            key = np.uint64(mix(key ^ np.uint64(number)))
        expected, shown = masked_by_definition(before, kinds, budget, key, continues if whole_words else None)
        low, masks = token_edges[row], slice(mask_edges[row], mask_edges[row + 1])
        assert (indices[masks] - low).tolist() == expected
        assert labels[masks].tolist() == [before[at] for at in expected]
        assert ids[low : token_edges[row + 1]].tolist() == shown


@pytest.mark.parametrize(
    ("configuration", "value"),
    [
        ({"whole_word_masking": True}, True),
        ({"seed": 1, "examples": {"whole_word_masking": True}}, True),
        ({"a": {"b": 1}, "c": {"d": {"whole_word_masking": False}}}, False),
        ({"a": {"whole_word_masking": None}, "b": {"whole_word_masking": True}}, True),
        ({"whole_word_masking": False, "a": {"whole_word_masking": True}}, False),
        ({"a": [{"whole_word_masking": True}]}, None),
        ({}, None),
    ],
)
def test_a_setting_of_the_build_is_found_in_whichever_table_it_stands(configuration: dict, value: object) -> None:
    assert _setting(configuration, "whole_word_masking") is value


def test_the_vocabulary_is_that_of_the_shards(tmp_path: Path) -> None:
    words = ["cat", "##s", "[unused1]", "dog"]
    tokenizer = build({token: index for index, token in enumerate([*SPECIAL_TOKENS, *words])}, lowercase=True)
    tokenizer.save(tmp_path)
    for configuration, whole in (({"examples": {"whole_word_masking": True}}, True), ({}, False)):
        shards = SimpleNamespace(tokenizer_path=tmp_path, manifest=SimpleNamespace(configuration=configuration))
        found = vocabulary_of(shards)  # type: ignore[arg-type]
        assert (found.mask_id, found.whole_words) == (4, whole)
        assert found.ordinary_ids.tolist() == [5, 6, 8]
        assert found.is_continuation.tolist() == [False] * 6 + [True, False, False]
