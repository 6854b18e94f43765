"""Every other rank at the meeting: finds rank 0, compares itself with it, takes its seat, and waits for its word."""

import json
import os
import time
from collections.abc import Mapping
from contextlib import suppress

import torch.distributed as dist

from pretraining.errors import JoinError, MismatchError
from pretraining.rendezvous.comer import (
    ALL_HERE,
    CAME,
    FACTS,
    GRACE,
    HEARD,
    LOOK,
    TROUBLE,
    TURNED_AWAY,
    Place,
    Rank,
    in_this_start,
    seat,
    trouble_in,
)
from pretraining.rendezvous.facts import CODE, RUN, difference
from pretraining.rendezvous.store import look_for


class OtherRank(Rank):
    """Finds rank 0, compares itself with it, takes its seat, and waits for the word that all are there."""

    def __init__(self, place: Place, facts: Mapping[str, str], seconds: float) -> None:
        super().__init__(place, facts, seconds)
        self.obstacle = "nothing was tried yet"
        self.is_seated = False

    def meet(self) -> list[str]:
        try:
            store = in_this_start(look_for(self.place.address, self.place.port, self._note))
            self.obstacle = "rank 0 has not said anything yet"
            while not store.check([FACTS]):
                time.sleep(LOOK)
            self._compare(store, json.loads(store.get(FACTS)))
            self._sit_down(store)
            while not store.check([ALL_HERE]):
                if store.check([TROUBLE]):
                    told = trouble_in(store)
                    store.add(HEARD, 1)
                    raise told
                time.sleep(LOOK)
            return self.addresses(store)
        except dist.DistError as error:
            raise JoinError(
                f"rank {self.place.rank} on {self.host} lost rank 0 at {self.place.where}, which ended before all "
                "ranks had come; see what it said, and start the same command again"
            ) from error

    def _note(self, obstacle: str) -> None:
        self.obstacle = obstacle
        self.say_once(lambda: f"looks for rank 0 at {self.place.where}: {obstacle}")

    def too_late(self) -> str:
        if self.is_seated:
            return (
                f"rank {self.place.rank} on {self.host} came to rank 0 at {self.place.where}, which said nothing more "
                f"for {self.seconds:g} s; see what it said, and start the same command again"
            )
        return (
            f"rank {self.place.rank} on {self.host} did not find rank 0 at {self.place.where} within "
            f"{self.seconds + GRACE:g} s: {self.obstacle} Mend that, or give all machines the right address and port, "
            f"and start the same command again; {self.place.option} waits longer"
        )

    def _compare(self, store: dist.Store, theirs: dict[str, str]) -> None:
        host = theirs.pop("host")
        found = difference(self.facts, theirs)
        if found is None:
            return
        name, ours, other = found
        me = f"rank {self.place.rank} on {self.host}"
        if name == RUN:
            with suppress(dist.DistError):
                store.set(TURNED_AWAY, f"{me}, of {ours}")
            raise MismatchError(
                f"{me} is of the run {ours}, and at {self.place.where} is rank 0 of the run {other}; give this run "
                "another port (MASTER_PORT, `--master_port`), or the same output folder on all machines"
            )
        advice = "the same checkout" if name == CODE else "the same command"
        error = MismatchError(
            f"{self.host}: {name} is {ours} for rank {self.place.rank}, and {other} for rank 0 on {host}; start "
            f"{advice} on all machines"
        )
        with suppress(dist.DistError):
            store.compare_set(TROUBLE, "", json.dumps({"code": error.exit_code, "reason": str(error)}))
            store.add(HEARD, 1)
        raise error

    def _sit_down(self, store: dist.Store) -> None:
        own_seat, mine = seat(self.place.rank), self.own_entry()
        taken = store.compare_set(own_seat, "", mine).decode()
        if taken != mine:
            other = json.loads(taken)
            message = (
                f"rank {self.place.rank} came twice to {self.place.where}: process {os.getpid()} on {self.host}, and "
                f"before it process {other['process']} on {other['host']}; give each machine a number of its own "
                "(`--node_rank`), and start a run once"
            )
            with suppress(dist.DistError):
                store.set(TURNED_AWAY, f"{message.partition(';')[0]}")
            raise MismatchError(message)
        self.store, self.is_seated = store, True
        store.add(CAME, 1)

    def say_to_others(self, error: JoinError | MismatchError) -> None:
        if self.store is not None and self.is_seated and isinstance(error, JoinError):
            with suppress(dist.DistError):
                said = json.dumps({"code": error.exit_code, "reason": str(error)})
                if self.store.compare_set(TROUBLE, "", said).decode() == said:
                    self.store.add(HEARD, 1)
