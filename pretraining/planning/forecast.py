"""How long a run takes on so many cards: a step's parts, and what comes around the steps.

A figure is "measured" where it follows from one that was measured on the same kind of machine, "planned" where it
follows from datasheets or from assumptions; `Forecast.basis` says which is which.
"""

from dataclasses import dataclass, field

from pretraining.configuration.deepspeed import zero_settings
from pretraining.configuration.tables import Recipe
from pretraining.data.batching import micro_batches_per_rank
from pretraining.model.config import BertConfig
from pretraining.planning.cards import Card
from pretraining.planning.communication import bytes_per_second, bytes_per_step
from pretraining.planning.constants import measured
from pretraining.planning.flops import Work, forward_flops, training_flops
from pretraining.planning.memory import parameter_count, parameter_sizes

_FLOAT32 = 4
_CHECKPOINT_BYTES = 12  # a parameter: weight and two moments in float32
_BACKWARD = 2 / 3  # of a micro-batch's time

ASSUMED_SHARDS = 10_000  # where no manifest is at hand


@dataclass(frozen=True)
class Cluster:
    """What a run stands on."""

    card: Card
    ranks: int
    ranks_per_node: int = 8
    link: str | None = None  # between nodes
    disk: float = 1e9  # bytes a second that all ranks together write; assumed
    shards: int = ASSUMED_SHARDS  # of the recipe's length


@dataclass(frozen=True)
class Forecast:
    """Seconds of a step, of what comes around it, and hours of the whole run."""

    mfu: float  # of the device's datasheet, while it computes micro-batches that keep it busy
    compute_seconds: float  # a step's
    communication_seconds: float  # of the step, what no computing hides
    data_seconds: float  # CPU time of preparing a step's batch, in a thread beside the step
    step_seconds: float
    sent_bytes: float  # by each rank in a step
    ring_bytes_per_second: float
    checkpoint_seconds: float  # of one
    checkpoints: int
    evaluation_seconds: float  # of all
    startup_seconds: float
    training_seconds: float  # of all steps
    hours: float
    tokens_per_second: float  # real ones, during steps
    basis: dict[str, str] = field(default_factory=dict)

    @property
    def communication_share(self) -> float:
        """Of a step."""
        return self.communication_seconds / self.step_seconds


def expected_mfu(card: Card, precision: str) -> float:
    """The reference card's measured step, its time cut in two: products at the share of the datasheet's peak that a
    large product reached, and the rest, which memory bandwidth bounds (float32 moves twice the bytes).

    Each part is scaled by the datasheets; no card is taken to use more of its peak than the one that was measured. For
    any card but the reference this is an assumption.
    """
    _, reference = measured()
    peak = card.peak_tflops(precision)
    products = 1 / (reference.product_share * peak)
    rest = 1 / (reference.mfu * reference.peak_tflops) - 1 / (reference.product_share * reference.peak_tflops)
    rest *= reference.bandwidth * 1e9 / card.bandwidth * (2 if precision == "fp32" else 1)
    return min(reference.mfu, 1 / (products + rest) / peak)


def forecast(
    recipe: Recipe, config: BertConfig, cluster: Cluster, batch: Work, size: int, mfu: float | None
) -> Forecast:
    """`batch`: what one global batch is expected to hold; `size`: sequences of a micro-batch; `mfu`: as somebody
    expects it, with no floor of the host's; None: as `expected_mfu` says.

    PretrainingError where the card has no such precision, or the link is not known.
    """
    host, reference = measured()
    card, ranks = cluster.card, cluster.ranks
    micro_batches = micro_batches_per_rank(recipe.training.batch_size, size, ranks)
    peak = card.peak_tflops(recipe.training.precision) * 1e12
    share = expected_mfu(card, recipe.training.precision) if mfu is None else mfu
    micro_batch = training_flops(config, batch) / ranks / micro_batches / (peak * share)
    if recipe.model.activation_checkpointing:
        micro_batch *= 4 / 3
    floor = reference.host_seconds_a_layer * config.num_hidden_layers if mfu is None else 0.0
    micro_batch = max(micro_batch, floor)
    compute = micro_batches * micro_batch

    half = recipe.training.precision == "fp16"
    volume = bytes_per_step(
        parameter_count(config),
        stage=recipe.stage,
        ranks=ranks,
        micro_batches=micro_batches,
        value_bytes=2 if half else _FLOAT32,
    )
    rate = bytes_per_second(card, ranks, cluster.ranks_per_node, cluster.link) if ranks > 1 else float("inf")
    hidden = 0.0
    if recipe.stage and zero_settings(recipe, ranks, parameter_sizes(config)).overlap:
        # Of every micro-batch after which gradients are reduced, the backward pass.
        times = micro_batches if recipe.stage >= 2 else 1
        hidden = min(volume.reduced / rate, times * _BACKWARD * micro_batch)
    communication = volume.total / rate - hidden

    data = recipe.training.batch_size * host.batch_seconds_a_sequence + batch.tokens / ranks * host.pack_seconds_a_token
    step = max(compute + communication, data)
    steps = recipe.training.steps
    if recipe.schedule.seconds is not None:
        steps = min(steps, int(recipe.schedule.seconds / step))
    saved = _CHECKPOINT_BYTES * parameter_count(config)
    checkpoint = host.save_seconds + saved / ranks / 1e9 * host.save_seconds_a_gb + saved / cluster.disk
    checkpoints = 1 + (steps // recipe.checkpoint.every if recipe.checkpoint.every else 0)
    evaluation = _evaluations(recipe, steps) * _held_out_seconds(recipe, config, batch, ranks * peak * share)
    startup = (
        host.import_seconds
        + host.open_seconds
        + cluster.shards * host.open_seconds_a_shard
        + host.join_seconds
        + ranks * host.join_seconds_a_rank
    )
    training = steps * step
    whole = training + checkpoints * checkpoint + evaluation + startup
    return Forecast(
        mfu=share,
        compute_seconds=compute,
        communication_seconds=communication,
        data_seconds=data,
        step_seconds=step,
        sent_bytes=volume.total,
        ring_bytes_per_second=rate,
        checkpoint_seconds=checkpoint,
        checkpoints=checkpoints,
        evaluation_seconds=evaluation,
        startup_seconds=startup,
        training_seconds=training,
        hours=whole / 3600,
        tokens_per_second=batch.tokens / step,
        basis=_basis(card, ranks, mfu, bounded_by_host=micro_batch == floor),
    )


def _evaluations(recipe: Recipe, steps: int) -> int:
    between = steps // recipe.evaluation.every if recipe.evaluation.every else 0
    return between + int(recipe.evaluation.at_start) + 1


def _held_out_seconds(recipe: Recipe, config: BertConfig, batch: Work, flops_per_second: float) -> float:
    part = recipe.evaluation.examples / recipe.training.batch_size
    return forward_flops(config, batch) * part / flops_per_second


def _basis(card: Card, ranks: int, mfu: float | None, *, bounded_by_host: bool) -> dict[str, str]:
    if mfu is not None:
        compute = "planned: --mfu as given"
    elif card.name == "h200-sxm":
        compute = "measured on one card"
    else:
        compute = "planned: the H200's step, scaled by datasheets"
    if bounded_by_host:
        compute += "; bound by the host, as measured beside the H200"
    return {
        "compute": compute,
        "communication": "none" if ranks == 1 else "planned: bytes counted, links by their rates",
        "data": "measured on one core",
        "checkpoint": "CPU time measured, disk planned",
        "start-up": "CPU time measured for up to 16 ranks, files in the page cache",
        "evaluation": "planned: forward passes at the same MFU",
    }
