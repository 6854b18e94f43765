"""All ranks come to rank 0, say who they are, and wait for its word that everybody is there.

Each compares what must be alike with what rank 0 has, so that the work does not grow with the number of ranks. A rank
of another run that came to this port is turned away and harms nobody; a rank of this run that differs ends all.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import torch.distributed as dist

from pretraining.errors import JoinError, MismatchError
from pretraining.rendezvous.bounded import bounded
from pretraining.rendezvous.comer import GRACE, Place
from pretraining.rendezvous.first_rank import FirstRank
from pretraining.rendezvous.other_rank import OtherRank


@dataclass(frozen=True)
class Met:
    """What a meeting leaves: the ranks' addresses, by rank, and on rank 0 the store.

    Rank 0 keeps this until the process group has taken the store over: it ends with the last who holds it.
    """

    addresses: list[str]
    held: dist.Store | None


def meet(
    place: Place,
    facts: Mapping[str, str],
    seconds: float,
    wish_to_stop: Callable[[], str | None] = lambda: None,
) -> Met:
    """All ranks have come and agree on `facts` (see `facts_of`).

    JoinError where they have not come within `seconds`, or somebody wishes to stop; MismatchError where a rank
    of this run differs, its number is taken, or the port is another run's.
    """
    rank = FirstRank(place, facts, seconds) if place.rank == 0 else OtherRank(place, facts, seconds)
    try:
        addresses = bounded(rank.meet, seconds + GRACE, rank.too_late, wish_to_stop)
    except (JoinError, MismatchError) as error:
        rank.say_to_others(error)
        raise
    return Met(addresses, rank.held)
