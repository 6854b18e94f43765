"""Keys for dropout on the CPU: with them a mask is a function of what it masks, without them a stretch of a stream.

A key starts a generator of SplitMix64, whose outputs are keys or draws, each to be had without the others: an example's
key (``PackedBatch.dropout_keys_s``) → its tokens, by position → the sites of the model → heads → draws for four columns
each, by 16 bits. So masks do not depend on what else is in a micro-batch, and nothing is saved to draw them again.

SplitMix64 is a published generator that passes the usual batteries of tests, and cheap enough: its loop becomes vector
instructions, and is several times as fast as torch's generator, which like it has one thread (docs/model-speed.md).
"""

import numpy as np
import torch
from torch import Tensor

from preprocessing.compiled import compiled
from pretraining.model.packing import PackedBatch
from pretraining.splitmix import draw, mix

LANE = 1 << 16  # one draw decides for four elements, by 16 bits each


def example_keys(seed: int, numbers: np.ndarray) -> Tensor:
    """int64 [s]: keys of examples for ``PackedBatch.dropout_keys_s``, each a function of the seed and its number.

    ``numbers``: int64 [s], which draw of the run each example is; no two are the same, and so no two have one key.
    """
    return torch.from_numpy(_draw_example_keys(np.uint64(seed & 0xFFFFFFFFFFFFFFFF), numbers))


def token_keys(batch: PackedBatch) -> Tensor | None:
    """int64 [t], from which every site of the model takes its draws; None of a batch without keys.

    None on CUDA too, where F.dropout and flash attention have generators of their own. Under torch.compile `Dropout`
    leaves its keys aside, as F.dropout becomes part of compiled kernels; attention on the CPU is not compiled.
    """
    keys_s = batch.dropout_keys_s
    return None if keys_s is None or keys_s.device.type != "cpu" else _token_keys(keys_s, batch.cu_seqlens)


@torch.compiler.disable  # it cannot trace numba's code
def _token_keys(keys_s: Tensor, cu_seqlens: Tensor) -> Tensor:
    keys_t = torch.empty(int(cu_seqlens[-1]), dtype=torch.int64)
    _draw_token_keys(keys_s.numpy(), cu_seqlens.numpy(), keys_t.numpy())
    return keys_t


def site_keys(token_keys_t: Tensor, site: int, rows: int) -> Tensor:
    """int64 [t, rows]: for every token the keys of `rows` rows of draws at one site, as many as attention has heads."""
    keys_tr = torch.empty(token_keys_t.shape[0], rows, dtype=torch.int64)
    _draw_site_keys(token_keys_t.numpy(), site, keys_tr.numpy())
    return keys_tr


def fill_keep_mask(mask: Tensor, dropped: int, row_keys: Tensor) -> None:
    """Writes 0 where a draw of 16 bits is below `dropped`, elsewhere 1 / (share kept).

    `mask` [..., n], float32 or float64, contiguous; `row_keys`: int64 [...].
    """
    mask_rn = mask.view(-1, mask.shape[-1]).numpy()
    scale = mask_rn.dtype.type(LANE / (LANE - dropped))
    _fill(mask_rn, np.uint16(dropped), scale, row_keys.reshape(-1).numpy())


@compiled
def _draw_example_keys(seed: np.uint64, numbers: np.ndarray) -> np.ndarray:
    keys_s = np.empty_like(numbers)
    for place in range(len(numbers)):
        keys_s[place] = draw(mix(seed), numbers[place])
    return keys_s


@compiled
def _draw_token_keys(keys_s: np.ndarray, edges: np.ndarray, keys_t: np.ndarray) -> None:
    for sequence in range(len(keys_s)):
        start = edges[sequence]
        for token in range(start, edges[sequence + 1]):
            keys_t[token] = draw(np.uint64(keys_s[sequence]), token - start)


@compiled
def _draw_site_keys(keys_t: np.ndarray, site: int, keys_tr: np.ndarray) -> None:
    for token in range(len(keys_t)):
        key = draw(np.uint64(keys_t[token]), site)
        for row in range(keys_tr.shape[1]):
            keys_tr[token, row] = draw(key, row)


@compiled
def _fill(mask_rn: np.ndarray, dropped: np.uint16, scale: np.float32, keys_r: np.ndarray) -> None:
    """Draws and comparisons in loops of their own, over a row that stays in the cache: both become vector code."""
    rows, columns = mask_rn.shape
    draws = np.empty((columns + 3) // 4, np.uint64)
    lanes = draws.view(np.uint16)
    for row in range(rows):
        key = np.uint64(keys_r[row])
        for number in range(len(draws)):
            draws[number] = draw(key, number)
        for column in range(columns):
            mask_rn[row, column] = scale if lanes[column] >= dropped else 0
