"""The state of float16's dynamic loss scale: plain numbers."""

from typing import Any

_KEPT = ("cur_scale", "cur_iter", "last_overflow_iter", "cur_hysteresis")


def scaler_state(engine: Any) -> dict[str, float] | None:
    """The scale and its counters; None in other precisions."""
    scaler = getattr(engine.optimizer, "loss_scaler", None)
    if not engine.fp16_enabled() or scaler is None:
        return None
    return {name: float(getattr(scaler, name)) for name in _KEPT if hasattr(scaler, name)}


def restore_scaler(engine: Any, state: dict[str, float] | None) -> None:
    """Puts the scale back, where the run has one and the checkpoint kept one."""
    scaler = getattr(engine.optimizer, "loss_scaler", None)
    if state is None or scaler is None or not engine.fp16_enabled():
        return
    for name, value in state.items():
        setattr(scaler, name, type(getattr(scaler, name))(value))
