"""All ranks end at the same step: who wants to stop is asked at every step, without making anybody wait."""

from typing import Any

import torch
import torch.distributed as dist

_LONG = 0.1  # seconds: after a step that took longer, waiting for the answer costs nothing that counts


class Agreement:
    """Sums wishes up over ranks through the host's network, beside what the devices compute.

    The answer to a question is looked at one question later, when it has long been there. Where steps are long, it is
    waited for at once, so that a run ends with the step in which it was asked to. Every rank gets the same answers.
    """

    def __init__(self) -> None:
        self._group = dist.new_group(backend="gloo") if dist.get_world_size() > 1 else None
        self._pending: tuple[Any, torch.Tensor] | None = None
        self._are_long = True  # of the first step nothing is known

    def ask(self, wish: int, seconds: float) -> int:
        """The greatest wish of any rank, as far as it is known, 0: nobody has any. Collective.

        `seconds`: what the step took here.
        """
        if self._group is None:
            return wish
        answer = self._collect()
        mine = torch.tensor([float(wish), seconds], dtype=torch.float64)
        self._pending = dist.all_reduce(mine, op=dist.ReduceOp.MAX, group=self._group, async_op=True), mine
        return max(answer, self._collect()) if self._are_long else answer

    def close(self) -> None:
        """Takes in the last answer, so that nothing is under way any more. Collective."""
        self._collect()

    def _collect(self) -> int:
        if self._pending is None:
            return 0
        work, agreed = self._pending
        self._pending = None
        work.wait()
        wish, seconds = agreed.tolist()
        self._are_long = seconds > _LONG
        return int(wish)
