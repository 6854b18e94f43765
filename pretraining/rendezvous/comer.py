"""What a rank is when it comes to the meeting, and the words that ranks leave for each other in the store."""

import json
import os
import socket
import sys
import time
import uuid
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch.distributed as dist

from pretraining.errors import JoinError, MismatchError
from pretraining.rendezvous.facts import WORLD_SIZE
from pretraining.rendezvous.network import address_towards

LOOK = 0.05  # seconds between two looks
GRACE = 5.0  # seconds that a rank waits longer than rank 0, which knows more
_FIRST_WORD = 10.0  # seconds of silence before it is said what is waited for
_NAMED = 8
FACTS, CAME, TROUBLE, ALL_HERE, HEARD, TURNED_AWAY = "facts", "came", "trouble", "all here", "heard", "turned away"


@dataclass(frozen=True)
class Place:
    """A rank's number among how many, and where rank 0 listens."""

    rank: int
    world_size: int
    address: str
    port: int
    option: str = "health.join_seconds"
    """The setting by which ranks wait longer, for messages."""

    @property
    def where(self) -> str:
        """Where rank 0 is looked for."""
        return f"{self.address}:{self.port}"


class Rank(ABC):
    """What the first rank and the others have in common."""

    def __init__(self, place: Place, facts: Mapping[str, str], seconds: float) -> None:
        self.place, self.facts, self.seconds = place, {**facts, WORLD_SIZE: str(place.world_size)}, seconds
        self.started = time.monotonic()
        self.deadline = self.started + seconds
        self.host, self.mark = socket.gethostname(), uuid.uuid4().hex
        self.store: dist.Store | None = None
        self.held: dist.Store | None = None
        self._said_something = False

    @abstractmethod
    def meet(self) -> list[str]:
        """Comes, and waits for the others."""

    @abstractmethod
    def too_late(self) -> str:
        """What is wrong when the time is up."""

    @abstractmethod
    def say_to_others(self, error: JoinError | MismatchError) -> None:
        """Ends the others as well, where this is their trouble."""

    def own_entry(self) -> str:
        """What this rank writes down at its seat, as JSON; no other process writes the same."""
        entry = {"host": self.host, "process": os.getpid(), "mark": self.mark}
        return json.dumps({**entry, "address": address_towards(self.place.address)})

    def say_once(self, what: Callable[[], str]) -> None:
        """A word to whoever looks on while nothing happens. `what` is called when it is said: it may ask the store."""
        if not self._said_something and time.monotonic() - self.started > _FIRST_WORD:
            self._said_something = True
            print(f"rank {self.place.rank} on {self.host} {what()}", file=sys.stderr, flush=True)

    def addresses(self, store: dist.Store) -> list[str]:
        """Of all ranks, when all are seated: each one's address on its way to rank 0."""
        entries = store.multi_get([seat(rank) for rank in range(self.place.world_size)])
        return [str(json.loads(entry)["address"]) for entry in entries]


def in_this_start(store: dist.Store) -> dist.Store:
    """Restarts by torchrun meet in one store."""
    return dist.PrefixStore(f"meeting/{os.environ.get('TORCHELASTIC_RESTART_COUNT', '0')}", store)


def seat(rank: int) -> str:
    """The key of a rank's place, which only one process can take."""
    return f"rank/{rank}"


def trouble_in(store: dist.Store) -> JoinError | MismatchError:
    """What some rank wrote down as the end of all."""
    said: dict[str, Any] = json.loads(store.get(TROUBLE))
    kind = JoinError if said["code"] == JoinError.exit_code else MismatchError
    return kind(said["reason"])


def named(ranks: Sequence[int]) -> str:
    """`rank 3`, or `12 ranks (0, 1, …)`."""
    numbers = ", ".join(map(str, ranks[:_NAMED])) + (", …" if len(ranks) > _NAMED else "")
    return f"rank {numbers}" if len(ranks) == 1 else f"{len(ranks)} ranks ({numbers})"
