"""One pretraining run: the loop and everything around it.

In: a recipe, and which rank this process is. Out: the run's folder: metrics, checkpoints, report, the exported model.
Open first: `pretrain.py`, which puts the parts together, then `loop.py`, the training loop. `engine.py` starts
DeepSpeed, `checkpoint.py` saves and resumes (`random_state.py`, `trainer_state.py`), `watcher.py` is what happens
around the steps: `metrics.py`, `evaluation.py`, `progress.py`, `stop.py`, `report_page.py`. `saved_run.py` reads
a run's folder back, for a report or an export of it; `exported_model.py` evaluates what was exported.
"""

__all__ = [
    "engine",
    "evaluation",
    "export_folder",
    "exported_model",
    "loop",
    "pretrain",
    "ranks",
    "report_page",
    "saved_run",
    "stop",
]
