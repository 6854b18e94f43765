"""The plan of a run: what it will need of memory, operations, hours and money."""

from dataclasses import asdict, dataclass, replace
from typing import Any

from preprocessing.errors import PreprocessingError
from preprocessing.shards import ShardSet
from pretraining.configuration.deepspeed import deepspeed_configuration
from pretraining.configuration.tables import Recipe, TrainingOptions
from pretraining.data.batching import micro_batches_per_rank
from pretraining.devices.abilities import gpu_abilities
from pretraining.devices.precision import choose_precision, require_fp8_products
from pretraining.errors import PretrainingError
from pretraining.model.config import PUBLISHED_VOCABULARY, BertConfig
from pretraining.planning.cards import Card
from pretraining.planning.cost import Cost, Price, cost_of
from pretraining.planning.flops import Work, assumed_work, training_flops
from pretraining.planning.forecast import Cluster, Forecast, forecast
from pretraining.planning.memory import Memory, parameter_count
from pretraining.planning.micro_batch import Choice, Device, largest_micro_batch, planned_memory


@dataclass(frozen=True)
class Plan:
    """What a run will need; bytes per rank, FLOPs and hours of the whole run."""

    parameters: int
    card: Card
    precision: str
    ranks: int
    micro_batch_size: int
    micro_batch_reason: str
    micro_batches: int
    batch: Work  # expected, of one global batch
    flops: float  # of all the recipe's steps
    forecast: Forecast
    peak_tflops: float  # of one device
    memory: dict[int, Memory]  # by ZeRO stage
    usable_bytes: int  # of a device, for tensors
    cost: Cost | None  # None where no price was given

    def to_json(self) -> dict[str, Any]:
        """Plain data for scripts: bytes, FLOPs, seconds, hours, and the cost in the currency of its price."""
        card = {
            "name": self.card.name,
            "source": self.card.source,
            "memory_bytes": self.card.memory_bytes,
            "tflops": dict(self.card.tflops),
        }
        memory = {stage: {**asdict(memory), "total": memory.total} for stage, memory in self.memory.items()}
        planned = {**asdict(self.forecast), "communication_share": self.forecast.communication_share}
        plain = {
            name: getattr(self, name)
            for name in ("parameters", "precision", "ranks", "micro_batch_size", "micro_batches")
        }
        return {
            **plain,
            "micro_batch_reason": self.micro_batch_reason,
            "batch": asdict(self.batch),
            "flops": self.flops,
            "peak_tflops": self.peak_tflops,
            "hours": self.forecast.hours,
            "gpu_hours": self.forecast.hours * self.ranks,
            "cost": None if self.cost is None else self.cost.to_json(),
            "card": card,
            "memory": memory,
            "usable_bytes": self.usable_bytes,
            "forecast": planned,
        }


def make_plan(
    recipe: Recipe,
    cluster: Cluster,
    *,
    mfu: float | None = None,
    work_of_example: Work | None = None,
    price: Price | None = None,
) -> Plan:
    """``work_of_example``: mean of 1000 examples as the shards' manifest says; assumed where None. ``mfu``: None for
    what was measured, or follows from it.

    PretrainingError where the card has no figure for the precision, the batch does not divide, or a link is missing.
    """
    ranks, card = cluster.ranks, cluster.card
    if ranks < 1 or cluster.ranks_per_node < 1 or not (mfu is None or 0 < mfu <= 1):
        raise PretrainingError(
            f"--gpus {ranks}, --gpus-per-node {cluster.ranks_per_node} and --mfu {mfu}: give at least one GPU in all "
            "and in a node, and a share above 0 and up to 1"
        )
    recipe = recipe.model_copy(update={"training": _on_card(recipe.training, card, recipe.stage)})
    peak = card.peak_tflops(recipe.training.precision)
    config = recipe.model.build(PUBLISHED_VOCABULARY)
    batch = _expected_batch(recipe, work_of_example)
    device = Device(card.memory_bytes, True, card.has_flash_attention)
    micro_batches = micro_batches_per_rank(recipe.training.batch_size, recipe.training.least_micro_batch_size, ranks)
    deepspeed_configuration(recipe, ranks, micro_batches, on_cpu=False)  # what a run refuses is refused
    choice = _micro_batch(recipe, config, ranks, device)
    planned = forecast(recipe, config, cluster, batch, choice.size, mfu)
    return Plan(
        parameters=parameter_count(config),
        card=card,
        precision=recipe.training.precision,
        ranks=ranks,
        micro_batch_size=choice.size,
        micro_batch_reason=choice.reason,
        micro_batches=micro_batches_per_rank(recipe.training.batch_size, choice.size, ranks),
        batch=batch,
        flops=training_flops(config, batch) * recipe.training.steps,
        forecast=planned,
        peak_tflops=peak,
        memory={stage: planned_memory(recipe, config, ranks, choice.size, device, stage) for stage in range(4)},
        usable_bytes=device.usable_bytes,
        cost=None if price is None else cost_of(planned, ranks, price),
    )


def _on_card(training: TrainingOptions, card: Card, stage: int) -> TrainingOptions:
    """With the precision that a run would take there; PretrainingError for one, or FP8, that the card has not."""
    device = gpu_abilities(card.name, card.compute_capability)
    if training.linear_layers == "fp8":
        require_fp8_products(device)
    return training.model_copy(update={"precision": choose_precision(training.precision, device, stage).precision})


def plans_by_ranks(recipe: Recipe, cluster: Cluster, counts: tuple[int, ...], **options: Any) -> list[Plan]:
    """The same run on other numbers of cards, without those among which its batch does not divide or fit."""
    plans = []
    for count in counts:
        try:
            plans.append(make_plan(recipe, replace(cluster, ranks=count), **options))
        except PretrainingError:
            continue
    return plans


def _micro_batch(recipe: Recipe, config: BertConfig, ranks: int, device: Device) -> Choice:
    if recipe.training.micro_batch_size == "auto":
        choice = largest_micro_batch(recipe, config, ranks, device)
        return replace(choice, reason=f"auto: {choice.reason}")
    size = recipe.training.micro_batch_size
    return Choice(size, planned_memory(recipe, config, ranks, size, device).total, "as the recipe says")


def _expected_batch(recipe: Recipe, work_of_example: Work | None) -> Work:
    thousand = work_of_example or assumed_work(recipe.data.sequence_length, 1000)
    return Work(*(round(value * recipe.training.batch_size / 1000) for value in asdict(thousand).values()))


def work_of_shards(recipe: Recipe) -> tuple[Work | None, int | None]:
    """Mean work of 1000 examples of the recipe's shards, and how many shards there are; None where it names none."""
    if not recipe.data.shards:
        return None, None
    try:
        sets = [ShardSet.open(folder).records("train", recipe.data.sequence_length) for folder in recipe.data.shards]
        histograms = [records.length_histogram() for records in sets]
    except PreprocessingError as error:
        raise PretrainingError(str(error)) from error
    squared = sum(rows * length * length for histogram in histograms for length, rows in histogram.items())
    tokens, masked, rows = (
        sum(int(records.column(name).sum()) for records in sets) for name in ("tokens", "masked_tokens", "rows")
    )
    work = Work(*(round(1000 * value / max(rows, 1)) for value in (tokens, squared, masked, rows)))
    return work, sum(map(len, sets))
