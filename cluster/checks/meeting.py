"""Where the ranks meet: a store of keys and values on rank 0's node, through which they report and are told.

Everything but the sums goes this way, so that a rank that is silent can be named and nobody waits without end.
"""

import json
import os
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import timedelta
from typing import Any, TypeVar

import torch.distributed as dist
from pydantic import BaseModel, ConfigDict

from cluster.checks.hosts import distinct, listed
from cluster.errors import ClusterError

SECONDS_BETWEEN_LOOKS = 0.02
SECONDS_TO_PART = 5.0


class Finding(BaseModel):
    """What one rank measured in one check."""

    model_config = ConfigDict(frozen=True)

    host: str
    rank: int


AnyFinding = TypeVar("AnyFinding", bound=Finding)


class ToldToEndError(ClusterError):
    """Rank 0 has ended the check and says why; the other ranks have nothing to add."""


class Meeting:
    """All ranks of a job, known to each other by the names of their hosts.

    `hosts` has one entry a rank. `leaders` are the first ranks of each host. `patience` is in seconds.
    """

    def __init__(self, rank: int, hosts: Sequence[str], store: dist.Store, patience: float) -> None:
        self.rank, self.hosts, self.store, self.patience = rank, tuple(hosts), store, patience
        self.leaders = tuple(self.hosts.index(host) for host in distinct(self.hosts))

    @property
    def host(self) -> str:
        """The host of this rank."""
        return self.hosts[self.rank]

    @property
    def world_size(self) -> int:
        """How many ranks there are."""
        return len(self.hosts)

    def gather(self, check: str, finding: AnyFinding | None, ranks: Sequence[int] | None = None) -> list[AnyFinding]:
        """The findings of `ranks` (of all, if left out), on rank 0; on the others an empty list, at once.

        Raises `ClusterError` on rank 0 when one of them stays silent or has failed.
        """
        ranks = range(self.world_size) if ranks is None else ranks
        if finding is not None and self.rank in ranks:
            with _in_sight_of_rank_0(self.rank):
                self.store.set(f"{check}/{self.rank}", finding.model_dump_json())
                self.store.add(check, 1)
        if self.rank != 0 or finding is None:
            return []
        deadline = time.monotonic() + self.patience
        while self.store.add(check, 0) < len(ranks):
            if self.store.check(["failed"]):
                raise ClusterError(self.store.get("failed").decode())
            if time.monotonic() > deadline:
                silent = [rank for rank in ranks if not self.store.check([f"{check}/{rank}"])]
                raise ClusterError(self._silent(silent, check))
            time.sleep(SECONDS_BETWEEN_LOOKS)
        texts = self.store.multi_get([f"{check}/{rank}" for rank in ranks])
        return [type(finding).model_validate_json(text) for text in texts]

    def share(self, name: str, value: Any = None) -> Any:
        """What rank 0 has under `name`, on every rank. `ToldToEndError` where rank 0 has ended the check instead."""
        if self.rank == 0:
            self.store.set(f"said/{name}", json.dumps(value))
            return value
        return _what_rank_0_said(self.store, name, self.rank, self.patience)

    def send(self, key: str, text: str) -> None:
        """Leaves a word for another rank."""
        with _in_sight_of_rank_0(self.rank):
            self.store.set(key, text)

    def receive(self, key: str, sender: int, check: str) -> str:
        """The word that `sender` leaves. `ClusterError`, naming its host, where there is none in time."""
        try:
            self.store.wait([key], timedelta(seconds=self.patience if self.rank == 0 else 3 * self.patience))
            return self.store.get(key).decode()
        except dist.DistError as error:
            raise ClusterError(self._silent([sender], check)) from error

    def fail(self, reason: str) -> None:
        """Tells rank 0, where it is still there, that this rank cannot go on."""
        with suppress(dist.DistError):
            self.store.set("failed", f"{self.host}: rank {self.rank} could not go on ({reason})")

    def end(self, names: Sequence[str]) -> None:
        """On rank 0: whoever waits for one of `names`, now or later, is told to end."""
        for name in names:
            if not self.store.check([f"said/{name}"]):
                self.store.set(f"said/{name}", json.dumps({"end": True}))

    def part(self) -> None:
        """The last thing that a rank does: rank 0 waits for the others, as the store is gone with it."""
        if self.rank == 0:
            _see_off(self.store, self.world_size - 1)
            return
        with suppress(dist.DistError):
            self.store.add("parted", 1)

    def _silent(self, ranks: Sequence[int], check: str) -> str:
        where = listed(distinct([self.hosts[rank] for rank in ranks]))
        return (
            f"{where}: {_ranks(ranks)} came, but gave no answer for {self.patience:g} s in the check of {check}; see "
            "in the job's log what became of it there"
        )


def join(
    rank: int, world_size: int, address: str, port: int, host: str, nodes: Sequence[str], patience: float
) -> Meeting:
    """Meets the other ranks at `address`:`port`, where rank 0 listens. `nodes`: those of the job, as far as known.

    Raises `ClusterError` on rank 0 with the names of who did not come, on the others where rank 0 is not to be found.
    """
    # torchrun's agent keeps a store of its own at that place, and its ranks are guests there.
    is_guest = os.environ.get("TORCHELASTIC_USE_AGENT_STORE") == "True"
    try:
        store: dist.Store = dist.TCPStore(
            *(address, port, world_size, rank == 0 and not is_guest),
            timeout=timedelta(seconds=patience),
            wait_for_workers=False,
        )
    except dist.DistError as error:
        if rank == 0 and not is_guest:
            reason = f"cannot listen at {address}:{port}, which may be in use; set MASTER_PORT to a free port"
        else:
            reason = (
                f"found nobody at {address}:{port} for {patience:g} s; see whether rank 0 was started there, and "
                "whether this node reaches that one (name, route, firewall)"
            )
        raise ClusterError(f"{host}: rank {rank} {reason}") from error
    store = dist.PrefixStore(f"preflight/{os.environ.get('TORCHELASTIC_RESTART_COUNT', '0')}", store)
    with _in_sight_of_rank_0(rank):
        store.set(f"host/{rank}", host)
        store.add("here", 1)
    if rank != 0:
        return Meeting(rank, _what_rank_0_said(store, "hosts", rank, patience), store, patience)
    deadline = time.monotonic() + patience
    while store.add("here", 0) < world_size and time.monotonic() < deadline:
        time.sleep(SECONDS_BETWEEN_LOOKS)
    here = {other: store.get(f"host/{other}").decode() for other in range(world_size) if store.check([f"host/{other}"])}
    meeting = Meeting(0, [here.get(other, "?") for other in range(world_size)], store, patience)
    if len(here) < world_size:
        meeting.end(["hosts"])
        _see_off(store, len(here) - 1)
        raise ClusterError(missing(here, world_size, nodes, patience))
    meeting.share("hosts", meeting.hosts)
    return meeting


def missing(here: dict[int, str], world_size: int, nodes: Sequence[str], seconds: float) -> str:
    """The sentence for ranks that did not come. `here`: the hosts of those that did; `nodes`: those of the job."""
    absent = [rank for rank in range(world_size) if rank not in here]
    hosts = distinct([here[rank] for rank in sorted(here)])
    empty = [node for node in nodes if node not in hosts]
    if empty:
        return (
            f"{listed(empty)}: {_ranks(absent)} of {world_size} did not come within {seconds:g} s, and no rank came "
            "from there; see whether the node is up and the program starts there, or leave it out "
            f"(`--exclude={','.join(empty)}`)"
        )
    return (
        f"{_ranks(absent)} of {world_size} did not come within {seconds:g} s; ranks came from {listed(hosts)}; see in "
        "the job's log what became of the others"
    )


def _see_off(store: dist.Store, others: int) -> None:
    """Waits a little for the other ranks to have heard the end."""
    deadline = time.monotonic() + SECONDS_TO_PART
    while store.add("parted", 0) < others and time.monotonic() < deadline:
        time.sleep(SECONDS_BETWEEN_LOOKS)


def _what_rank_0_said(store: dist.Store, name: str, rank: int, patience: float) -> Any:
    with _in_sight_of_rank_0(rank):  # rank 0 itself waits for others first
        store.wait([f"said/{name}"], timedelta(seconds=3 * patience))
        said = json.loads(store.get(f"said/{name}"))
        if said == {"end": True}:
            store.add("parted", 1)
            raise ToldToEndError
    return said


@contextmanager
def _in_sight_of_rank_0(rank: int) -> Iterator[None]:
    try:
        yield
    except dist.DistError as error:
        raise ClusterError(
            f"rank {rank} lost sight of rank 0, which ended before the check did; see its log"
        ) from error


def _ranks(ranks: Sequence[int]) -> str:
    return f"rank {ranks[0]}" if len(ranks) == 1 else f"ranks {listed(ranks)}"
