"""``python -m pretraining.plan --config RECIPE --gpus 512 --gpu h100 --link ib400``: memory, hours, where they go, and
with ``--price-per-gpu-hour`` what they cost, before a run is submitted.
"""

import contextlib
import json
import sys
from collections.abc import Sequence

from pretraining.configuration.recipe import recipe_of, recipe_parser
from pretraining.errors import PretrainingError
from pretraining.planning.cards import card_named, card_names
from pretraining.planning.communication import LINKS
from pretraining.planning.cost import Price
from pretraining.planning.forecast import ASSUMED_SHARDS, Cluster
from pretraining.planning.plan import make_plan, plans_by_ranks, work_of_shards

_OTHER_COUNTS = (1, 8, 16, 32, 64, 128, 256, 512, 1024)


def main(arguments: Sequence[str] | None = None) -> int:
    """The command; returns the exit code."""
    parser = recipe_parser("python -m pretraining.plan", "Memory, FLOPs and hours of a run before it is submitted.")
    group = parser.add_argument_group("the cluster")
    group.add_argument("--gpus", type=int, metavar="N", required=True, help="ranks of the run, one a GPU")
    names = ", ".join(card_names())
    group.add_argument("--gpu", metavar="NAME", default="h100", help=f"v100, a100, h100, h200 or one of {names}")
    group.add_argument(
        "--link", metavar="NAME", help=f"what joins nodes: {', '.join(LINKS)} (InfiniBand one a GPU, Ethernet a node)"
    )
    group.add_argument("--gpus-per-node", type=int, metavar="N", default=8, help="GPUs of a node (default: 8)")
    group.add_argument(
        "--mfu", type=float, metavar="X", help="share of the peak that you expect to reach; left out: as measured"
    )
    group.add_argument(
        "--disk-mb-per-second", type=float, metavar="X", default=1000.0, help="what all ranks write (default: 1000)"
    )
    group.add_argument(
        "--price-per-gpu-hour", type=float, metavar="X", help="adds what the run costs; no price is built in"
    )
    group.add_argument("--currency", metavar="NAME", help="of that price, for instance EUR: shown, never converted")
    group.add_argument("--json", action="store_true", help="print the plan as JSON: bytes, FLOPs, seconds, hours, cost")
    try:
        known = parser.parse_args(arguments)
        with contextlib.redirect_stdout(sys.stderr):  # DeepSpeed says there what it found of devices
            if not known.disk_mb_per_second > 0:
                raise PretrainingError(f"--disk-mb-per-second {known.disk_mb_per_second}: give a rate above 0")
            if known.currency is not None and known.price_per_gpu_hour is None:
                raise PretrainingError(f"--currency {known.currency}: there is no price; add --price-per-gpu-hour")
            price = None if known.price_per_gpu_hour is None else Price(known.price_per_gpu_hour, known.currency)
            if known.link not in (None, *LINKS):
                raise PretrainingError(f"--link {known.link}: no such link is known; choose {', '.join(LINKS)}")
            recipe = recipe_of(known)
            work, shards = work_of_shards(recipe)
            cluster = Cluster(
                card=card_named(known.gpu),
                ranks=known.gpus,
                ranks_per_node=known.gpus_per_node,
                link=known.link,
                disk=known.disk_mb_per_second * 1e6,
                shards=shards or ASSUMED_SHARDS,
            )
            options = {"mfu": known.mfu, "work_of_example": work, "price": price}
            plan = make_plan(recipe, cluster, **options)
            others = [] if known.json else plans_by_ranks(recipe, cluster, _OTHER_COUNTS, **options)
    except PretrainingError as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    if known.json:
        print(json.dumps(plan.to_json()))
    else:
        from pretraining.planning.page import show

        show(plan, recipe, others)
    return 0


if __name__ == "__main__":
    sys.exit(main())
