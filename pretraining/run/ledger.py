"""A running digest of the examples that a run has trained on, in their order.

Every rank hashes the examples of its share as they are packed: slot in the global batch, pieces, masked positions and
labels. A step's number is the sum over all its examples modulo 2⁶⁴, so it does not depend on how the batch was cut
into ranks. The digest after a step is that of the digest before it and the step's number.
"""

import hashlib
from collections.abc import Iterable

import torch
import torch.distributed as dist

from pretraining.devices.transfer import sent

_HALF = 1 << 63


def extended(digest: str, numbers: Iterable[int]) -> str:
    """The digest (32 hexadecimal digits, empty at the start) after steps with these numbers (modulo 2⁶⁴)."""
    for number in numbers:
        words = bytes.fromhex(digest) + (number % (1 << 64)).to_bytes(8, "little")
        digest = hashlib.blake2b(words, digest_size=16).hexdigest()
    return digest


class Ledger:
    """The digest of a run; steps wait until ranks add their numbers up, at a logged step or a save."""

    def __init__(self, digest: str, device: torch.device) -> None:
        self._digest, self._device = digest, device
        self._waiting: list[int] = []

    def add(self, number: int) -> None:
        """This rank's part of a step's number."""
        self._waiting.append((number + _HALF) % (2 * _HALF) - _HALF)

    def close(self) -> str:
        """The digest after the last step that was added; collective."""
        if self._waiting:
            numbers = sent(torch.tensor(self._waiting, dtype=torch.int64), self._device)
            dist.all_reduce(numbers)  # wraps around, as the sum modulo 2⁶⁴ does
            self._digest = extended(self._digest, numbers.tolist())
            self._waiting = []
        return self._digest
