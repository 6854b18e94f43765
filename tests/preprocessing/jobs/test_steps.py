import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import apache_beam as beam
import pytest
from apache_beam.coders import registry
from apache_beam.testing.test_pipeline import TestPipeline as BeamTestPipeline
from apache_beam.testing.util import assert_that, equal_to

from preprocessing.jobs.steps import Barrier, Numbers, Step, add_steps, graphs, share_of


@pytest.mark.parametrize(("sharers", "count"), [(1, 1), (1, 7), (7, 1), (3, 10), (10, 3), (5, 5), (1000, 64)])
def test_all_together_name_everything_once(sharers: int, count: int) -> None:
    """So what travels through the runner grows with the corpus, and not with its square."""
    named = [thing for number in range(sharers) for thing in share_of(number, sharers, count)]
    assert sorted(named) == list(range(count))


@pytest.mark.parametrize(("sharers", "count"), [(1, 5), (5, 1), (4, 9)])
def test_a_barrier_names_the_numbers_of_the_next_step(sharers: int, count: int) -> None:
    with BeamTestPipeline(runner="FnApiRunner") as pipeline:
        numbers = pipeline | Numbers(sharers)
        assert_that(numbers, equal_to(range(sharers)), label="given")
        assert_that(numbers | Barrier(sharers, count), equal_to(range(count)), label="named")
        for collection in (numbers, numbers | "typed" >> Barrier(sharers, count)):
            assert registry.get_coder(collection.element_type).is_deterministic()


class Log(beam.PTransform):
    """Writes a line for each piece of work of a step."""

    def __init__(self, name: str, log: Path) -> None:
        super().__init__()
        self.name, self.log = name, log

    def expand(self, numbers: beam.PCollection) -> beam.PCollection:
        return numbers | beam.FlatMap(write, self.name, self.log).with_output_types(int)


def write(number: int, name: str, log: Path) -> Iterator[int]:
    with log.open("a") as stream:
        stream.write(f"{name} {number}\n")
    yield number


@pytest.mark.parametrize("apart", [False, True])
def test_a_step_begins_when_the_one_before_it_is_done(tmp_path: Path, apart: bool) -> None:
    log = tmp_path / "log"
    counts = {"First": 5, "Second": 2, "Third": 7}
    steps = [Step(name, Log(name, log), count) for name, count in counts.items()]
    pipelines = graphs(steps, apart=apart)
    assert len(pipelines) == (3 if apart else 1)
    for add in pipelines:
        with BeamTestPipeline(runner="FnApiRunner") as pipeline:
            add(pipeline)
            assert any(label.endswith("/Wait") for label in pipeline.applied_labels) == (not apart)
    lines = log.read_text().split("\n")[:-1]
    assert [line.split()[0] for line in lines] == [name for name, count in counts.items() for _ in range(count)]
    assert sorted(lines) == sorted(f"{name} {number}" for name, count in counts.items() for number in range(count))


def test_the_last_step_gives_its_numbers(tmp_path: Path) -> None:
    with BeamTestPipeline(runner="FnApiRunner") as pipeline:
        done = add_steps(pipeline, [Step("A", Log("A", tmp_path / "log"), 3), Step("B", Log("B", tmp_path / "log"), 4)])
        assert_that(done, equal_to(range(4)))


CLUSTERS = """
import socket
import sys
from pathlib import Path

from preprocessing.jobs.runners import quiet

quiet()  # before Beam, as the commands call it, or Beam's first warning lets everything of Dask through

import apache_beam as beam
from apache_beam.options.pipeline_options import PipelineOptions
from distributed import get_worker

from preprocessing.jobs.steps import Step, run_steps


def note(number, name):
    Path(sys.argv[0]).with_name(f"{name}-{number}").write_text(get_worker().scheduler.address)
    return number


if __name__ == "__main__":
    runner = "apache_beam.runners.dask.dask_runner.DaskRunner"
    options = PipelineOptions([f"--runner={runner}", "--dask_partition_size=1"])
    run_steps(options, [Step(name, beam.Map(note, name), 2) for name in ("First", "Second")])
    address = Path(sys.argv[0]).with_name("First-0").read_text()
    try:
        socket.create_connection(address.partition("://")[2].split(":"), timeout=1)
    except ConnectionRefusedError:
        print("ended")
"""


@pytest.mark.slow
def test_steps_are_run_on_one_cluster_of_dask(tmp_path: Path) -> None:
    """Which ends with them: a pipeline that is given none starts its own and leaves it."""
    pytest.importorskip("distributed")
    script = tmp_path / "clusters.py"
    script.write_text(CLUSTERS)
    done = subprocess.run([sys.executable, str(script)], capture_output=True, text=True, check=False, timeout=300)
    assert (done.returncode, done.stdout) == (0, "ended\n"), done.stderr
    assert "Traceback" not in done.stderr
    found = {path.name: path.read_text() for path in tmp_path.glob("*-?")}
    assert sorted(found) == ["First-0", "First-1", "Second-0", "Second-1"]
    assert len(set(found.values())) == 1
