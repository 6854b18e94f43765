"""Where a training step's time goes, next to the least that each kind of work can take: the gaps to the peak."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from pretraining.model.config import BertConfig
from pretraining.planning.flops import Work, forward_flops
from pretraining.planning.memory import parameter_count

PRODUCTS = "matrix products"
ATTENTION = "attention"
OPTIMISER = "optimiser"
COPIES = "copies, casts, fills"
LOOK_UPS = "embeddings and gathers"
ELEMENTWISE = "norms, activations, dropout, loss"
HOST = "device waits for the host"

# The first that is found in a kernel's name says what it is for; of flash attention's kernels the names hold CUTLASS,
# and a fused kernel that does more than cast is no copy.
_SIGNS: tuple[tuple[str, re.Pattern[str]], ...] = (
    (ATTENTION, re.compile(r"flash|fmha|mha_|sdpa|scaled_dot_product|attention", re.IGNORECASE)),
    (OPTIMISER, re.compile(r"adam|lamb\b|multi_tensor_apply|foreach", re.IGNORECASE)),
    (
        PRODUCTS,
        re.compile(
            r"gemm|gemv|nvjet|xmma|wgmma|cutlass|cublas|splitk|scaled_mm|(add)?b?mm\b|::linear|_linear_pointwise", re.I
        ),
    ),
    (
        COPIES,
        re.compile(
            r"memcpy|memset|copy_kernel|catarray|fillfunctor|aten::(copy_|_to_copy|fill_|zero_|cat)$"
            r"|^triton_\w+?_fused__to_copy(_(clone|t|transpose|view))*_\d+\w*$",
            re.I,
        ),
    ),
    (LOOK_UPS, re.compile(r"embedding|index|gather|scatter|grad_weight|segment|radixsort", re.IGNORECASE)),
)


@dataclass(frozen=True)
class Ceilings:
    """What the device reached when nothing else was asked of it."""

    flops: float  # a second, of a large bfloat16 product
    bytes: float  # a second, read and written, of a large copy


@dataclass(frozen=True)
class Kernel:
    """All calls of one kernel in a step."""

    name: str
    count: int
    seconds: float


@dataclass(frozen=True)
class Gap:
    """One kind of work in a step: what it took, and the least that it can take on this device."""

    kind: str
    seconds: float
    floor: float
    count: int
    largest: tuple[str, ...]  # names of the kernels that took most

    @property
    def gap(self) -> float:
        """Seconds above the floor."""
        return self.seconds - self.floor


def kind_of(name: str) -> str:
    """What a kernel of this name is for."""
    return next((kind for kind, sign in _SIGNS if sign.search(name)), ELEMENTWISE)


def floors(config: BertConfig, work: Work, ceilings: Ceilings) -> dict[str, float]:
    """The least seconds of a step with AdamW for each kind of work, by the ceilings.

    Products and attention by their FLOPs (`pretraining.planning.flops`). The others by bytes that must be moved however
    well kernels are fused, hidden states in two bytes: per layer and token, forward 6 h + 2 i values (two residual sums
    with norm and dropout, GELU) and backward 6 h + 3 i; the scores of masked tokens written, read, and their gradient
    written; embeddings read three rows and write one, forward and backward; AdamW reads weight, gradient and two
    moments and writes three of them, 28 bytes a parameter. Copies, casts and waiting are not needed at all.
    """
    h, i, v = config.hidden_size, config.intermediate_size, config.vocab_size
    products = 3 * forward_flops(config, replace(work, squared_tokens=0))
    attention = 3 * forward_flops(config, work) - products
    values = config.num_hidden_layers * work.tokens * (12 * h + 5 * i) + 3 * work.masked_tokens * v
    return {
        PRODUCTS: products / ceilings.flops,
        ATTENTION: attention / ceilings.flops,
        OPTIMISER: 28 * parameter_count(config) / ceilings.bytes,
        ELEMENTWISE: 2 * values / ceilings.bytes,
        LOOK_UPS: 2 * 8 * h * work.tokens / ceilings.bytes,
        COPIES: 0.0,
        HOST: 0.0,
    }


def gaps(kernels: Iterable[Kernel], step_seconds: float, least: Mapping[str, float]) -> list[Gap]:
    """Every kind of work, the largest gap first.

    `step_seconds`: of an undisturbed step; what the kernels do not fill of it, the device waited for the host.
    """
    by_kind: dict[str, list[Kernel]] = {kind: [] for kind in least}
    for kernel in kernels:
        by_kind[kind_of(kernel.name)].append(kernel)
    busy = sum(kernel.seconds for group in by_kind.values() for kernel in group)
    found = []
    for kind, group in by_kind.items():
        ordered = sorted(group, key=lambda kernel: -kernel.seconds)
        took = max(0.0, step_seconds - busy) if kind == HOST else sum(kernel.seconds for kernel in group)
        names = tuple(kernel.name[:80] for kernel in ordered[:3])
        found.append(Gap(kind, took, least[kind], sum(kernel.count for kernel in group), names))
    return sorted(found, key=lambda one: -one.gap)
