"""Counts operations for which the host would wait for a GPU, without one.

Tensors on torch's device "meta" (shapes without values) stand for those of a GPU and say that they are on CUDA, so the
code takes the ways that it takes there. Counted are operations, at the line of this repository that called them.
"""

import traceback
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves

DEVICE = torch.device("meta")
_ROOT = Path(__file__).resolve().parents[2]
_aten = torch.ops.aten
# The size of the result, or a value, is known to the device only.
_READING = (
    *(_aten.nonzero.default, _aten.masked_select.default, _aten._unique2.default, _aten.unique_dim.default),
    *(_aten.unique_consecutive.default, _aten.bincount.default, _aten.equal.default),
)
_COPYING = (_aten._to_copy.default, _aten.copy_.default)
_INDEXING = (_aten.index.Tensor, _aten.index_put.default, _aten.index_put_.default)


class DeviceWaits(TorchDispatchMode):
    """Counts by file and line, in `found`. A value that is read from the device is 1.0."""

    def __init__(self) -> None:
        super().__init__()
        self.found: Counter[str] = Counter()

    @property
    def total(self) -> int:
        return sum(self.found.values())

    def __torch_dispatch__(self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: Any = None) -> Any:
        kwargs = kwargs or {}
        if func is _aten.is_pinned.default:
            return _is_pinned(args[0])
        if func is _aten._pin_memory.default:
            pinned = torch.empty_like(args[0])
            pinned.is_as_if_pinned = True  # type: ignore[attr-defined]
            return pinned
        on_device = [leaf for leaf in tree_leaves((args, kwargs)) if isinstance(leaf, Tensor) and _is_there(leaf)]
        if func is _aten._local_scalar_dense.default:
            if on_device:
                self.note("item")
            return 1.0 if args[0].is_floating_point() else 1
        if func in _COPYING:
            return self._copy(func, args, kwargs)
        if func is _aten.repeat_interleave.Tensor and on_device and kwargs.get("output_size") is None:
            self.note("repeat_interleave without output_size")
            return torch.empty(7, dtype=torch.int64, device=DEVICE)
        if on_device and func in _READING:
            self.note(func.name())
            raise NotImplementedError(f"{func.name()} of a fake tensor has no size")
        if on_device and func in _INDEXING and any(_is_mask(index) for index in args[1]):
            self.note("index by a mask")
            if func is _aten.index_put_.default:
                return args[0]
            return args[0].clone() if func is _aten.index_put.default else args[0].new_empty(7, *args[0].shape[1:])
        return func(*args, **kwargs)

    def _copy(self, func: Any, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Tensor:
        target, source = (args[0], args[1]) if func is _aten.copy_.default else (None, args[0])
        to = kwargs.get("device") if target is None else target.device
        to_there = source.device.type if to is None else torch.device(to).type
        if source.device.type == to_there:
            return func(*args, **kwargs)
        non_blocking = bool(kwargs.get("non_blocking") or (target is not None and len(args) > 2 and args[2]))
        if _is_there(source):
            self.note("copy to the host")
            return torch.zeros(source.shape, dtype=kwargs.get("dtype", source.dtype)) if target is None else target
        if not (non_blocking and _is_pinned(source)):
            self.note("copy from memory that is not pinned")
        return func(*args, **kwargs)

    def note(self, what: str) -> None:
        """Counts one wait at the innermost line of this repository."""
        for frame in reversed(traceback.extract_stack()):
            path = Path(frame.filename)
            if path.is_relative_to(_ROOT) and ".venv" not in path.parts and path != Path(__file__).resolve():
                self.found[f"{path.relative_to(_ROOT)}:{frame.lineno} {what}"] += 1
                return
        self.found[f"elsewhere: {what}"] += 1


def _is_there(tensor: Tensor) -> bool:
    return tensor.device == DEVICE


def _is_pinned(tensor: Tensor) -> bool:
    return getattr(tensor, "is_as_if_pinned", False)


def _is_mask(index: Any) -> bool:
    return isinstance(index, Tensor) and index.dtype in (torch.bool, torch.uint8)


@contextmanager
def counted(compute_capability: tuple[int, int] = (9, 0)) -> Iterator[DeviceWaits]:
    """What happens inside is counted, with tensors on `DEVICE` taken for tensors of a GPU."""
    cuda, tensor = torch.cuda, torch.Tensor
    before = cuda.get_device_capability, cuda.get_device_name, torch.tensor, torch.autocast
    tensor.is_cuda = property(_is_there)  # type: ignore[assignment,method-assign]
    cuda.get_device_capability = lambda device=None: compute_capability
    cuda.get_device_name = lambda device=None: "a GPU that is not there"
    try:
        with DeviceWaits() as waits:

            def made(data: Any, **settings: Any) -> Tensor:
                if settings.get("device") is not None and torch.device(settings["device"]) == DEVICE:
                    waits.note("torch.tensor on the device")  # copied from the host; the operation is not dispatched
                return before[2](data, **settings)

            def mixed(device_type: str, *_: Any, **settings: Any) -> Any:  # torch has none for the stand-in
                return nullcontext() if device_type == DEVICE.type else before[3](device_type, *_, **settings)

            torch.tensor, torch.autocast = made, mixed  # type: ignore[misc,assignment]
            yield waits
    finally:
        del tensor.is_cuda
        cuda.get_device_capability, cuda.get_device_name, torch.tensor, torch.autocast = before  # type: ignore[misc]
