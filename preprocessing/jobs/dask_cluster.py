"""A cluster of Dask: how its parts are set up, and one on this machine for a job that names none."""

import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING, Any

from preprocessing.errors import PreprocessingError

if TYPE_CHECKING:
    from apache_beam.options.pipeline_options import PipelineOptions

PRELOAD = "preprocessing.jobs.dask_process"


def runs_on_dask(options: "PipelineOptions") -> bool:
    """Whether the options name Beam's runner for Dask."""
    return str(options.get_all_options()["runner"]).rpartition(".")[2] == "DaskRunner"


def cluster_settings() -> dict[str, Any]:
    """Dask's configuration (names with dots) of one new cluster, for all of its parts and clients; it holds a secret.

    A scheduler and its workers listen on the network, have no password, and run what they are sent. So they speak TLS,
    and only with who has the key in here, which is made now and known to nobody else. No web pages are served either.

    Raises PreprocessingError where the package that makes keys is not installed.
    """
    from distributed.security import Security

    try:
        made = Security.temporary()
    except ImportError as error:
        raise PreprocessingError(
            "Dask's connections cannot be guarded: the package `cryptography` is not installed; install the extra: "
            "pip install -e '.[dask]'."
        ) from error
    guarded = {"ca-file": made.tls_ca_file}
    for role in ("client", "scheduler", "worker"):
        guarded |= {f"{role}.cert": made.tls_scheduler_cert, f"{role}.key": made.tls_scheduler_key}
    return {
        "distributed.comm.require-encryption": True,
        **{f"distributed.comm.tls.{name}": value for name, value in guarded.items()},
        "distributed.scheduler.http.routes": [],
        "distributed.worker.http.routes": [],
        "distributed.scheduler.preload": [PRELOAD],
        "distributed.worker.preload": [PRELOAD],
        "logging.distributed": "warning",
    }


@contextmanager
def one_dask_cluster(options: "PipelineOptions") -> Iterator[None]:
    """Where the options name Dask and no cluster of it, one on this machine for all pipelines that are run meanwhile.

    By itself every pipeline would start its own, and end none.
    """
    if not runs_on_dask(options):
        yield
        return
    from apache_beam.runners.dask.dask_runner import DaskOptions

    named = options.view_as(DaskOptions)
    if named.address or options.get_all_options().get("scheduler_file"):
        yield
        return
    import dask
    from distributed import LocalCluster, default_client

    # One thread each, as Python runs one at a time. No limit of Dask's own on memory: it would be an equal share, and
    # end the worker of a large bucket while there is memory left.
    workers = {"n_workers": len(os.sched_getaffinity(0)), "threads_per_worker": 1, "memory_limit": 0}
    place = {"protocol": "tls", "dashboard_address": "127.0.0.1:0"}
    with dask.config.set(cluster_settings()), LocalCluster(**workers, **place) as cluster:
        named.address = cluster.scheduler_address
        try:
            yield
        finally:
            named.address = None
            with suppress(ValueError):  # there is no further one
                # Beam closes none of its clients, and each would look for the scheduler when that is gone.
                while (client := default_client()).scheduler.address == cluster.scheduler_address:
                    client.close()
