"""The metrics of a run that learns, as a run would log them."""

import json
import math
from pathlib import Path
from typing import Any


def line(step: int, **more: Any) -> dict[str, Any]:
    """A logged step of a run that learns."""
    loss = 4.4 + 4 * math.exp(-step / 150) + 0.1 * math.sin(step)
    return {
        "step": step,
        "loss": loss + 0.69,
        "mlm_loss": loss,
        "mlm_accuracy": 0.3 * (1 - math.exp(-step / 300)),
        "nsp_accuracy": 0.5 + step / 4000,
        "learning_rate": 1e-4 * min(step / 100, 1),
        "gradient_norm": 1 + 3 / (1 + step),
        "tokens_per_second": 5000.0 + step % 7,
        "tokens": 900 * step,
        "sequences": 8 * step,
        "seconds": 0.2 * step,
        **more,
    }


def evaluation(step: int, source: str) -> dict[str, Any]:
    figures = line(step)
    errors = {"loss_error": 0.03, "mlm_loss_error": 0.2, "mlm_accuracy_error": 0.02, "nsp_accuracy_error": None}
    return {"event": "evaluation", "source": source, "nsp_loss": 0.69, **figures, **errors, "sequences": 64}


def write_metrics(folder: Path, steps: int, source: str = "books") -> None:
    """A line a step, evaluations of all sources and of `source` every hundred, a resume every two hundred."""
    folder.mkdir(parents=True)
    lines: list[dict[str, Any]] = [{"step": 0, "event": "remark", "sentence": f"precision is {source}"}]
    for step in range(1, steps + 1):
        if step % 200 == 0:
            lines.append({"step": step, "event": "resumed"})
        lines.append(line(step))
        if step % 100 == 0:
            lines += [evaluation(step, "all"), evaluation(step, source)]
    (folder / "metrics.jsonl").write_text("".join(f"{json.dumps(one)}\n" for one in lines))
