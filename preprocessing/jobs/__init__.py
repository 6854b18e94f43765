"""What every Apache Beam job of this stage shares: the runner, the order of steps, failures, progress.

In: a job's steps (`steps.py`), each a transform over the numbers of its pieces of work; `splits.py` keeps what the
numbers of splits stand for. `runners.py` speaks Beam's options and runs them, `local_worker.py` is a process of the
local engine. Workers leave what went wrong as files (`failures.py`), and `watch.py` counts the files of what is
done. The jobs themselves are in `build`. Open first: `steps.py`.
"""

__all__ = ["failures", "local_worker", "runners", "splits", "steps", "watch"]
