"""A plan in words and tables, for a terminal."""

from rich.console import Console
from rich.table import Table

from pretraining.configuration.tables import Recipe
from pretraining.planning.cost import Cost
from pretraining.planning.plan import Plan


def show(plan: Plan, recipe: Recipe, others: list[Plan]) -> None:
    """Prints the plan; `others` are those of the same recipe on other numbers of cards."""
    console = Console(highlight=False)
    card, forecast = plan.card, plan.forecast
    console.print(
        f"{plan.parameters:,} parameters; {recipe.training.steps:,} steps of {recipe.training.batch_size:,} sequences "
        f"({plan.batch.tokens:,} real tokens); {plan.ranks} × {card.name}, {plan.micro_batches} micro-batches of "
        f"{plan.micro_batch_size} per rank and step ({plan.micro_batch_reason})"
    )
    console.print(f"{card.name}: {plan.peak_tflops:,.0f} TFLOP/s in {plan.precision} ({card.source})")
    console.print(_memory(plan, recipe))
    console.print(_step(plan))
    console.print(
        f"{plan.flops:.3g} model FLOPs at an MFU of {forecast.mfu:.0%}: {forecast.tokens_per_second:,.0f} tokens a "
        f"second, {forecast.hours:,.1f} hours, {forecast.hours * plan.ranks:,.0f} GPU hours"
    )
    if plan.cost is not None:
        console.print(_cost(plan.cost))
    if others:
        console.print(_efficiency(others))


def _memory(plan: Plan, recipe: Recipe) -> Table:
    table = Table("stage", "weights", "grads", "moments", "buffers", "activations", "GiB a rank", "fits")
    table.pad_edge = False  # eighty columns hold every heading
    for stage, memory in plan.memory.items():
        parts = (memory.weights, memory.gradients, memory.optimizer, memory.buffers, memory.activations, memory.total)
        fits = "yes" if memory.total <= plan.usable_bytes else "no"
        table.add_row(
            f"{stage}{' *' if stage == recipe.stage else ''}", *(f"{part / 2**30:.2f}" for part in parts), fits
        )
    return table


def _step(plan: Plan) -> Table:
    forecast = plan.forecast
    rows = (
        ("compute", f"{forecast.compute_seconds:.3f} s a step"),
        (
            "communication",
            f"{forecast.communication_seconds:.3f} s a step, {forecast.communication_share:.0%} of it; "
            f"{forecast.sent_bytes / 1e9:.2f} GB from each rank",
        ),
        ("data", f"{forecast.data_seconds:.3f} s of a core a step, beside it"),
        ("checkpoint", f"{forecast.checkpoint_seconds:.1f} s, {forecast.checkpoints:,} times"),
        ("evaluation", f"{forecast.evaluation_seconds:,.0f} s in all"),
        ("start-up", f"{forecast.startup_seconds:.1f} s"),
    )
    table = Table("part", "planned", "basis")
    for part, value in rows:
        table.add_row(part, value, forecast.basis[part])
    return table


def _cost(cost: Cost) -> Table:
    table = Table("planned for", "GPU hours", f"cost, at {cost.price.shown(cost.price.per_gpu_hour)} a GPU hour")
    for part, hours in cost.gpu_hours.items():
        table.add_row(part, f"{hours:,.1f}", cost.price.shown(hours * cost.price.per_gpu_hour))
    table.add_section()
    table.add_row("in all", f"{cost.total_gpu_hours:,.1f}", cost.price.shown(cost.total))
    return table


def _efficiency(plans: list[Plan]) -> Table:
    """Each next to the smallest number of cards."""
    first = plans[0]
    table = Table("GPUs", "micro-batch", "step, s", "sending", "tokens/s", "hours", "efficiency")
    if first.cost is not None:
        currency = first.cost.price.currency
        table.add_column("cost" if currency is None else f"cost,\n{currency}")
        table.pad_edge, table.collapse_padding = False, True  # for eighty columns
    for plan in plans:
        forecast = plan.forecast
        ideal = first.forecast.tokens_per_second / first.ranks * plan.ranks
        table.add_row(
            f"{plan.ranks:,}",
            f"{plan.micro_batch_size:,}",
            f"{forecast.step_seconds:.3f}",
            f"{forecast.communication_share:.0%}",
            f"{forecast.tokens_per_second:,.0f}",
            f"{forecast.hours:,.1f}",
            f"{forecast.tokens_per_second / ideal:.0%}",
            *(() if plan.cost is None else (plan.cost.price.figures(plan.cost.total),)),
        )
    return table
