"""Masks from keys: the share kept, and that no part of a mask tells of another."""

from dataclasses import replace

import pytest
import torch
from torch import Tensor

from pretraining.model.dropout import Dropout, keep_mask
from pretraining.model.dropout_keys import site_keys, token_keys
from pretraining.model.packing import PackedBatch


def keys_of(lengths: list[int], sequence_keys: list[int]) -> Tensor:
    batch = PackedBatch.from_sequences([[1] * length for length in lengths])
    keys_t = token_keys(replace(batch, dropout_keys_s=torch.tensor(sequence_keys)))
    assert keys_t is not None
    return keys_t


def kept(probability: float, sequences: int, sites: int, columns: int) -> Tensor:
    """[sequences of 32 tokens at some sites with two rows each, columns]: 1 where an element is kept, float64.

    The keys of the sequences are neighbouring integers, so that all disorder is the draws' own.
    """
    keys_t = keys_of([32] * sequences, list(range(sequences)))
    keys_r = torch.cat([site_keys(keys_t, site, rows=2).flatten() for site in range(sites)])
    return (keep_mask(torch.empty(len(keys_r), columns), probability, keys_r) != 0).double()


def largest_correlation(kept_an: Tensor, probability: float) -> float:
    """Over all pairs of rows, in standard deviations of its estimate."""
    normal_an = (kept_an - (1 - probability)) / (probability * (1 - probability)) ** 0.5
    return (normal_an @ normal_an.T / normal_an.shape[1] ** 0.5).triu(1).abs().max().item()


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
@pytest.mark.parametrize("probability", [0.1, 0.5, 0.9])
def test_the_share_dropped_and_the_scale(probability: float, dtype: torch.dtype) -> None:
    mask = keep_mask(torch.empty(1000, 1003, dtype=dtype), probability, keys_of([100] * 10, list(range(10))))
    deviation = (probability * (1 - probability) / mask.numel()) ** 0.5
    assert mask.dtype == dtype
    assert (mask == 0).double().mean().item() == pytest.approx(probability, abs=5 * deviation)
    assert mask[mask > 0].unique().tolist() == pytest.approx([1 / (1 - probability)], rel=1e-4)
    assert mask.double().mean().item() == pytest.approx(1.0, abs=5 * deviation / (1 - probability))


@pytest.mark.parametrize("probability", [0.1, 0.5])
def test_rows_are_independent_and_so_are_columns(probability: float) -> None:
    """Tokens, sequences, sites, heads, features; the largest of 10⁵ correlations is about 4.5 deviations by chance."""
    assert largest_correlation(kept(probability, sequences=4, sites=2, columns=4096), probability) < 6
    assert largest_correlation(kept(probability, sequences=64, sites=2, columns=512).T, probability) < 6


def test_the_four_lanes_of_a_draw_are_independent() -> None:
    """All 16 patterns are as frequent: chi-square with 15 degrees of freedom, above 45 once in 10⁴ times."""
    patterns = kept(0.5, sequences=64, sites=2, columns=512).view(-1, 4) @ torch.tensor([8.0, 4, 2, 1]).double()
    expected = len(patterns) / 16
    assert ((patterns.long().bincount() - expected) ** 2 / expected).sum().item() < 45


def test_no_row_comes_twice() -> None:
    keys_t = keys_of([500] * 40, list(range(40)))
    keys = torch.cat([keys_t, *(site_keys(keys_t, site, rows=12).flatten() for site in range(5))])
    assert len(keys.unique()) == len(keys)
    assert len(kept(0.5, sequences=16, sites=4, columns=64).unique(dim=0)) == 4096


def test_what_else_is_in_the_batch_does_not_matter() -> None:
    alone, among = keys_of([7], [42]), keys_of([3, 7, 7, 1], [41, 42, 43, 42])
    assert torch.equal(among[3:10], alone)
    assert torch.equal(among[17:], alone[:1])
    assert not torch.isin(among[10:17], alone).any()


@pytest.mark.parametrize("columns", [1, 3, 4, 30])
def test_rows_of_any_width(columns: int) -> None:
    """A row begins alike whatever its width; rows may lie in any shape and order."""
    keys = torch.arange(12).view(3, 4)
    mask = keep_mask(torch.empty(3, 4, columns), 0.5, keys)
    assert torch.equal(mask, keep_mask(torch.empty(12, 64), 0.5, keys.flatten())[:, :columns].view(3, 4, columns))
    assert torch.equal(mask.transpose(0, 1), keep_mask(torch.empty(4, 3, columns), 0.5, keys.T))


def test_a_mask_is_a_function_of_key_and_site() -> None:
    input_th, residual_th, keys_t = torch.ones(50, 64), torch.zeros(50, 64), keys_of([50], [5])
    state = torch.get_rng_state()
    first, second, other = (Dropout(0.5, site)(input_th, None, keys_t) for site in (4, 4, 5))
    assert torch.equal(first, second)
    assert not torch.equal(first, other)
    assert not torch.equal(first, Dropout(0.5, 4)(input_th, None, keys_of([50], [6])))
    assert torch.equal(first, Dropout(0.5, 4)(input_th, residual_th, keys_t))
    assert torch.equal(state, torch.get_rng_state())


def test_the_expectation_of_the_output_is_the_input() -> None:
    input_th = torch.randn(8, 5, generator=torch.Generator().manual_seed(0))
    outputs = [Dropout(0.2)(input_th, None, keys_of([8], [key])) for key in range(4000)]
    deviation = input_th.abs() * (0.2 / 0.8 / 4000) ** 0.5
    assert ((torch.stack(outputs).mean(0) - input_th).abs() < 5 * deviation).all()


@pytest.mark.parametrize("residual_dtype", [torch.float32, torch.bfloat16])
def test_lower_precision_sees_the_same_mask(residual_dtype: torch.dtype) -> None:
    keys_t = keys_of([40], [1])
    input_th, residual_th = torch.ones(40, 100, dtype=torch.bfloat16), torch.zeros(40, 100, dtype=residual_dtype)
    output_th = Dropout(0.1, 3)(input_th.requires_grad_(), residual_th, keys_t)
    exact_th = Dropout(0.1, 3)(input_th.detach().float(), None, keys_t)
    assert torch.equal(output_th, exact_th.to(residual_dtype))
    (grad_th,) = torch.autograd.grad(output_th.sum(), input_th)
    assert torch.equal(grad_th, exact_th.bfloat16())


def test_keys_serve_on_the_cpu_only() -> None:
    batch = replace(PackedBatch.from_sequences([[1, 2]]), dropout_keys_s=torch.tensor([1]))
    assert token_keys(batch.to("meta")) is None
    assert token_keys(replace(batch, dropout_keys_s=None)) is None
