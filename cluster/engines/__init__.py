"""Beam's engines: an engine's name → Beam options (`options.py`, to open first), and what brings an engine up on nodes.

`dask_driver.py` and `dask_workers.py` are a Dask cluster for one command, its first node and the workers of each; they
find one another by `dask_meeting.py`, and `batch_host.py` looks after the job of Slurm that they run in.
`worker_pool.py` is what Flink and Spark need on a node.
"""

__all__ = ["options"]
