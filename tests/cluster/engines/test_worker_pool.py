"""The pool of Beam workers listens where it should, and runs a pipeline."""

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import apache_beam as beam
import psutil
import pytest
from apache_beam.options.pipeline_options import PipelineOptions

from cluster.engines import worker_pool


@pytest.fixture
def pool(repository: Path) -> Iterator[tuple["subprocess.Popen[str]", int]]:
    command = [sys.executable, "-m", "cluster.engines.worker_pool", "--port", "0"]
    with subprocess.Popen(command, cwd=repository, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        line = process.stdout.readline()
        assert line.startswith("worker pool on 127.0.0.1:")
        yield process, int(line.rpartition(":")[2])
        process.terminate()
        assert process.wait() == 0


@pytest.mark.slow
def test_it_runs_a_pipeline_and_listens_on_loopback_alone(pool: tuple["subprocess.Popen[str]", int]) -> None:
    process, port = pool
    listening = [c.laddr for c in psutil.Process(process.pid).net_connections() if c.status == psutil.CONN_LISTEN]
    assert [(address.ip.removeprefix("::ffff:"), address.port) for address in listening] == [("127.0.0.1", port)]
    options = ["--runner=PortableRunner", "--job_endpoint=embed", "--environment_type=EXTERNAL"]
    with beam.Pipeline(options=PipelineOptions([*options, f"--environment_config=127.0.0.1:{port}"])) as pipeline:
        _ = pipeline | beam.Create([1, 2, 3]) | beam.Map(lambda number: number + 1)


def test_a_port_that_is_taken_is_one_sentence(capsys: pytest.CaptureFixture[str]) -> None:
    server, port = worker_pool.start("127.0.0.1", 0)
    assert worker_pool.main(["--port", str(port)]) == 2
    assert "is another pool running?" in capsys.readouterr().err
    server.stop(None)
