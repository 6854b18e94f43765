"""From a rank that knows only its number to one of a process group."""

from collections.abc import Callable, Mapping

from pretraining.errors import JoinError
from pretraining.rendezvous.bounded import bounded
from pretraining.rendezvous.comer import Place
from pretraining.rendezvous.meeting import meet
from pretraining.rendezvous.network import choose_network


def join(
    place: Place,
    facts: Mapping[str, str],
    seconds: float,
    connect: Callable[[], None],
    wish_to_stop: Callable[[], str | None] = lambda: None,
) -> None:
    """All ranks meet, agree on `facts` (see `facts_of`), and then make their process group with `connect`.

    JoinError where they have not met after `seconds`, or not connected after as many more, or somebody wishes to stop
    meanwhile; MismatchError where they do not belong together. `connect` runs in a thread of its own.
    """
    met = meet(place, facts, seconds, wish_to_stop)
    choose_network(met.addresses)
    unconnected = (
        f"rank {place.rank} met the others and could not connect to all of them within {seconds:g} s: one of them has "
        "ended, which says why, or the machines reach one another only at rank 0's port; name the network that joins "
        "them (GLOO_SOCKET_IFNAME, NCCL_SOCKET_IFNAME), open its ports, and start the same command again"
    )
    try:
        bounded(connect, seconds, lambda: unconnected, wish_to_stop)
    except JoinError:
        raise
    except RuntimeError as error:  # gloo has no class of its own for a rank that is gone
        raise JoinError(f"{unconnected} ({str(error).splitlines()[0]})") from error
    del met  # rank 0's store is the process group's now
