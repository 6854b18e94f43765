"""One pretraining run: the loop and everything around it.

In: a recipe, and which rank this process is. Out: the run's folder: metrics, checkpoints, report, the exported model.
Open first: `pretrain.py`, until the ranks have joined, then `joined_run.py`, which puts the parts together, and
`loop.py`, the training loop. `device/` settles what a recipe leaves to the device, `engine.py` starts DeepSpeed,
`checkpoint/` saves and resumes (`trainer_state.py`), `health/` decides when to go on, go back, stop or give up;
`watcher.py` is what happens around the steps: `metrics.py`, `ledger.py`, `evaluation.py`, `progress.py`,
`state_file.py`, `report_page.py`. `saved/` reads a run's folder back.
"""

__all__ = [
    "checkpoint",
    "device",
    "engine",
    "evaluation",
    "export_folder",
    "health",
    "initial_weights",
    "ledger",
    "loop",
    "metrics",
    "pretrain",
    "ranks",
    "report_page",
    "saved",
    "state_file",
    "trainer_state",
]
