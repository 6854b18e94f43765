"""What ranks say to each other in a step, and how long links take for it.

Bytes by stage follow from what DeepSpeed 0.19 does (tests/pretraining/planning/test_communication.py counts them on two
gloo ranks): gradients are all-reduced whole at stages 1 and 2 as well (`use_multi_rank_bucket_allreduce`, its default),
where Rajbhandari et al. 2020, section 7, reckon with a reduce-scatter of half that; then weights are gathered.
"""

from dataclasses import dataclass

from pretraining.errors import PretrainingError
from pretraining.planning.cards import Card

# Assumed, not measured: what a ring of NCCL reaches of what its links can do.
LINK_SHARE = 0.8
_GBIT = 1e9 / 8


@dataclass(frozen=True)
class Link:
    """A network between nodes: bytes a second of one adapter in one direction, and whose it is."""

    bytes_per_second: float
    one_a_gpu: bool  # as in DGX and HGX nodes; else one a node


# By the rates that their names say (InfiniBand HDR and NDR, Ethernet), 8 bits a byte, nothing taken off.
LINKS: dict[str, Link] = {
    "ib400": Link(400 * _GBIT, True),
    "ib200": Link(200 * _GBIT, True),
    "100gbe": Link(100 * _GBIT, False),
    "25gbe": Link(25 * _GBIT, False),
    "10gbe": Link(10 * _GBIT, False),
}


@dataclass(frozen=True)
class Volume:
    """Bytes that each rank sends in one optimiser step."""

    reduced: float  # gradients; what overlaps with the backward pass where DeepSpeed is told to
    gathered: float  # weights

    @property
    def total(self) -> float:
        return self.reduced + self.gathered


def ring(ranks: int, payload: float) -> float:
    """Bytes that a rank sends to reduce or gather `payload` bytes around a ring: (n − 1) / n of it.

    An all-reduce is both (nccl-tests, doc/PERFORMANCE.md).
    """
    return (ranks - 1) / ranks * payload


def bytes_per_step(parameters: int, *, stage: int, ranks: int, micro_batches: int, value_bytes: int = 4) -> Volume:
    """What a rank sends in one step. `value_bytes`: of a weight and a gradient, 2 for float16.

    Stage 3 gathers weights at every micro-batch, once: up to 10⁹ parameters it keeps between the passes.
    """
    payload = float(parameters * value_bytes)
    once = ring(ranks, payload)
    if stage == 0:
        return Volume(2 * once, 0.0)
    if stage == 1:
        return Volume(2 * once, once)
    if stage == 2:
        return Volume(2 * once * micro_batches, once)
    return Volume(once * micro_batches, once * micro_batches)


def bytes_per_second(card: Card, ranks: int, ranks_per_node: int, link: str | None) -> float:
    """What a ring of all ranks moves in one direction at best: the slowest of what it passes.

    Inside a node NVLink where it joins them all, else PCIe; between nodes all adapters of a node together, as NCCL
    makes a ring for each. PretrainingError where several nodes have no link, or one that is not known.
    """
    here = min(ranks, ranks_per_node)
    inside = (card.nvlink if card.joined >= here else card.pcie) / 2
    if ranks <= ranks_per_node:
        return inside * LINK_SHARE
    if link is None or link not in LINKS:
        raise PretrainingError(
            f"--link {link}: {ranks} GPUs are on several nodes of {ranks_per_node}; name what joins them: "
            f"{', '.join(LINKS)}"
        )
    between = LINKS[link].bytes_per_second * (ranks_per_node if LINKS[link].one_a_gpu else 1)
    return min(inside, between) * LINK_SHARE
