"""What every Apache Beam job of this stage shares: the runner, the order of steps, failures, progress.

In: a job's steps (`steps.py`), each a transform over the numbers of its pieces of work; `splits.py` keeps what the
numbers of splits stand for. `runners.py` speaks Beam's options and runs them, `dask_cluster.py` knows a cluster of
Dask; `local_worker.py` and `dask_process.py` are what their processes begin with. Workers leave what went wrong as
files (`failures.py`), and `watch.py` counts the files of what is done. Every piece of work begins with what
`piece_of_work.py` says; `garbage_collection.py` keeps Python from looking for garbage too often. The jobs themselves
are in `build`. Open first: `steps.py`.
"""

__all__ = [
    "dask_cluster",
    "dask_process",
    "failures",
    "garbage_collection",
    "local_worker",
    "piece_of_work",
    "runners",
    "splits",
    "steps",
    "watch",
]
