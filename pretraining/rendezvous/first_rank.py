"""Rank 0 at the meeting: holds the store, counts who comes, and says when all are there, or who is missing."""

import json
import time
from contextlib import suppress

import torch.distributed as dist

from pretraining.errors import JoinError, MismatchError
from pretraining.rendezvous.comer import (
    ALL_HERE,
    CAME,
    FACTS,
    HEARD,
    LOOK,
    TROUBLE,
    TURNED_AWAY,
    Rank,
    in_this_start,
    named,
    seat,
    trouble_in,
)
from pretraining.rendezvous.store import hold, is_guest, look_for

_FAREWELL = 3.0  # seconds for others to hear why it ends
_LATE = 15.0  # seconds for those to hear it who have not come yet, where they would differ or look for rank 0 in vain


class FirstRank(Rank):
    """Holds the store, counts who comes, and says when all are there."""

    def meet(self) -> list[str]:
        if not is_guest():
            self.held = hold(self.place.port, self.deadline)
            in_this_start(self.held).set("mark", self.mark)
        # By the way that the others take: it may not lead here.
        self.obstacle = ""
        store = in_this_start(look_for(self.place.address, self.place.port, self._note))
        if not is_guest() and (not store.check(["mark"]) or store.get("mark").decode() != self.mark):
            raise MismatchError(
                f"{self.place.where} (MASTER_ADDR) is not {self.host}, where rank 0 was started: another run listens "
                "there; give all machines the address of the one that has rank 0"
            )
        self.obstacle = ""
        self.store = store
        store.set(seat(0), self.own_entry())
        store.set(FACTS, json.dumps({**self.facts, "host": self.host}))
        store.add(CAME, 1)
        while store.add(CAME, 0) < self.place.world_size:
            if store.check([TROUBLE]):
                raise trouble_in(store)
            if time.monotonic() > self.deadline:
                raise JoinError(self.too_late())
            self.say_once(lambda: f"waits at {self.place.where} for {self._absent(store)}")
            time.sleep(LOOK)
        addresses = self.addresses(store)
        store.set(ALL_HERE, "1")
        return addresses

    def _note(self, obstacle: str) -> None:
        self.obstacle = obstacle
        self.say_once(lambda: f"does not reach itself at {self.place.where}: {obstacle}")

    def too_late(self) -> str:
        if self.store is None:
            return (
                f"rank 0 on {self.host} does not reach itself at {self.place.where} (MASTER_ADDR): {self.obstacle} "
                "Give all machines an address of the one that has rank 0"
            )
        turned_away = ""
        if self.store.check([TURNED_AWAY]):
            turned_away = f"; turned away was {self.store.get('turned away').decode()}"
        return (
            f"{self._absent(self.store)} did not come to {self.place.where} within {self.seconds:g} s (here: "
            f"{self._present(self.store)}){turned_away}; look whether each machine is up, was given the right address, "
            "port and number (hostfile, `--node_rank`), and reaches this one (route, firewall), and start the same "
            f"command again; {self.place.option} waits longer"
        )

    def _absent(self, store: dist.Store) -> str:
        absent = [rank for rank in range(self.place.world_size) if not store.check([seat(rank)])]
        return f"{named(absent)} of {self.place.world_size}"

    def _present(self, store: dist.Store) -> str:
        hosts: dict[str, list[int]] = {}
        for rank in range(self.place.world_size):
            if store.check([seat(rank)]):
                hosts.setdefault(json.loads(store.get(seat(rank)))["host"], []).append(rank)
        return ", ".join(f"{named(ranks)} on {host}" for host, ranks in hosts.items())

    def say_to_others(self, error: JoinError | MismatchError) -> None:
        if self.store is None:
            return
        with suppress(dist.DistError):
            self.store.compare_set(TROUBLE, "", json.dumps({"code": error.exit_code, "reason": str(error)}))
            is_early = time.monotonic() < self.deadline
            others = (self.place.world_size if is_early else self.store.add(CAME, 0)) - 1
            deadline = time.monotonic() + (_LATE if is_early else _FAREWELL)
            while self.store.add(HEARD, 0) < others and time.monotonic() < deadline:
                time.sleep(LOOK)
