"""An engine's name becomes Beam options.

Never the bare `DirectRunner`: it downloads a runner binary first, and without internet falls back in silence.
"""

import importlib.util
import itertools
import os
from collections.abc import Callable, Sequence
from pathlib import Path

from cluster.errors import ClusterError

DASK_RUNNER = "apache_beam.runners.dask.dask_runner.DaskRunner"

# Python code of ours runs on the workers, so every worker needs the same environment as the driver. An EXTERNAL
# worker pool (`python -m cluster.engines.worker_pool`) on every node runs in the project's own virtual environment: no
# container to build, no package to ship.
EXTERNAL_WORKERS = {"--environment_type": "EXTERNAL", "--environment_config": "localhost:50000"}


def engine_options(engine: str, workers: int | None, given: Sequence[str]) -> list[str]:
    """Beam options that start `engine`, without repeating an option in `given` (the user's always win).

    Raises `ClusterError` for an unknown engine, or one that lacks what it needs to start.
    """
    if engine not in _ENGINES:
        raise ClusterError(f"--engine {engine}: unknown; known are {', '.join(sorted(_ENGINES))}")
    named = {option.split("=", 1)[0] for option in given if option.startswith("--")}
    if "--runner" in named:
        raise ClusterError("--runner and --engine name the same thing twice: drop one of them")
    values = {option.split("=", 1)[0]: option.split("=", 1)[1] for option in given if "=" in option}
    # `--option value` is as good as `--option=value`
    for option, value in itertools.pairwise(given):
        if option.startswith("--") and "=" not in option and not value.startswith("--"):
            values[option] = value
    options = _ENGINES[engine](workers, values)
    return [f"{name}={value}" for name, value in options.items() if name not in named]


def _local(workers: int | None, given: dict[str, str]) -> dict[str, str]:
    workers = workers or len(os.sched_getaffinity(0))
    if workers == 1:
        return {"--runner": "FnApiRunner", "--direct_running_mode": "in_memory", "--direct_num_workers": "1"}
    return {
        "--runner": "FnApiRunner",
        "--direct_running_mode": "multi_processing",
        "--direct_num_workers": str(workers),
    }


def _dask(workers: int | None, given: dict[str, str]) -> dict[str, str]:
    if importlib.util.find_spec("distributed") is None:
        raise ClusterError("--engine dask: Dask is not installed; install the extra: pip install -e '.[dask]'")
    if workers is not None:
        raise ClusterError(
            f"--workers {workers}: on Dask the cluster's own workers run; start it with so many, or drop --workers"
        )
    scheduler_file = given.get("--dask_scheduler_file")
    if scheduler_file and not Path(scheduler_file).is_file():
        raise ClusterError(
            f"--dask_scheduler_file {scheduler_file}: no such file; start `dask scheduler --scheduler-file "
            f"{scheduler_file}` first"
        )
    # The default packs 128 elements into a partition: a few hundred splits would keep two or three workers busy.
    return {"--runner": DASK_RUNNER, "--dask_partition_size": "1"}


def _flink(workers: int | None, given: dict[str, str]) -> dict[str, str]:
    _require(given, "flink", "--flink_master", "host:port of the Flink job manager")
    _require_jar(given, "flink", "--flink_job_server_jar", "beam-runners-flink-<version>-job-server.jar")
    parallelism = {"--parallelism": str(workers)} if workers else {}
    # By default all slots of a task manager share one Python process; 0 lets the runner start as many as it has cores.
    return {"--runner": "FlinkRunner", "--sdk_worker_parallelism": "0", **parallelism, **EXTERNAL_WORKERS}


def _spark(workers: int | None, given: dict[str, str]) -> dict[str, str]:
    _require(given, "spark", "--spark_master_url", "spark://host:port of the Spark master")
    _require_jar(given, "spark", "--spark_job_server_jar", "beam-runners-spark-3-job-server.jar")
    if workers is not None:
        raise ClusterError(
            f"--workers {workers}: on Spark the master's executors run; ask it for so many, or drop --workers"
        )
    return {"--runner": "SparkRunner", **EXTERNAL_WORKERS}


def _dataflow(workers: int | None, given: dict[str, str]) -> dict[str, str]:
    if importlib.util.find_spec("apitools") is None:
        raise ClusterError("--engine dataflow: needs Beam's Google Cloud extra: pip install 'apache-beam[gcp]'")
    for option, meaning in (
        ("--project", "the Google Cloud project"),
        ("--region", "the region to run in"),
        ("--temp_location", "a gs:// folder for temporary files"),
        ("--sdk_container_image", "an image that holds this project installed"),
    ):
        _require(given, "dataflow", option, meaning)
    count = {"--num_workers": str(workers)} if workers else {}
    return {"--runner": "DataflowRunner", **count}


def _require(given: dict[str, str], engine: str, option: str, meaning: str) -> None:
    if not given.get(option):
        raise ClusterError(f"--engine {engine}: give {option}, {meaning}")


def _require_jar(given: dict[str, str], engine: str, option: str, name: str) -> None:
    # Without the option Beam downloads the jar, which hangs where there is no internet.
    _require(given, engine, option, f"the path of {name} from the Apache Beam release")
    if not Path(given[option]).is_file():
        raise ClusterError(f"{option} {given[option]}: no such file; get {name} from the Apache Beam release")


_ENGINES: dict[str, Callable[[int | None, dict[str, str]], dict[str, str]]] = {
    "local": _local,
    "dask": _dask,
    "flink": _flink,
    "spark": _spark,
    "dataflow": _dataflow,
}
ENGINES = tuple(_ENGINES)
