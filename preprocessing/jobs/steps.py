"""Steps of work in Beam: pieces of work by their numbers, and a step begins when the one before it is done.

In one graph a GroupByKey sees to the order. On Dask grouping n elements takes some n^1.5 tasks (five hundred splits
took minutes), so there each step is a pipeline of its own, and nothing is grouped.
"""

import functools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import apache_beam as beam
from apache_beam.options.pipeline_options import PipelineOptions
from apache_beam.pvalue import PBegin, PCollection

from preprocessing.jobs.dask_cluster import one_dask_cluster, runs_on_dask
from preprocessing.jobs.runners import run_pipeline


@dataclass(frozen=True)
class Step:
    """`count` pieces of work; `transform` takes their numbers (int, from 0) and gives them back when they are done."""

    name: str
    transform: beam.PTransform
    count: int


def run_steps(options: PipelineOptions, steps: Sequence[Step]) -> None:
    """Runs the steps, one after the other. Raises as `run_pipeline` does."""
    with one_dask_cluster(options):
        for add_graph in graphs(steps, apart=runs_on_dask(options)):
            run_pipeline(options, add_graph)


def graphs(steps: Sequence[Step], *, apart: bool) -> list[Callable[[beam.Pipeline], PCollection[int]]]:
    """What adds the steps to pipelines that are to be run one after the other: a pipeline each, or one for all."""
    groups = [[step] for step in steps] if apart else [list(steps)]
    return [functools.partial(add_steps, steps=group) for group in groups]


def add_steps(pipeline: beam.Pipeline, steps: Sequence[Step]) -> PCollection[int]:
    """Adds one linear chain to the pipeline; returns the numbers of the last step, as they are done."""
    first, *later = steps
    done = pipeline | "Numbers" >> Numbers(first.count) | first.name >> first.transform
    sharers = first.count
    for step in later:
        done = done | f"Before{step.name}" >> Barrier(sharers, step.count) | step.name >> step.transform
        sharers = step.count
    return done


class Numbers(beam.PTransform):
    """The numbers below `count`, spread over the workers."""

    def __init__(self, count: int) -> None:
        super().__init__()
        self._count = count

    def expand(self, start: PBegin) -> PCollection[int]:
        numbers = beam.Create(range(self._count), reshuffle=False).with_output_types(int)
        return start | "Create" >> numbers | "Spread" >> beam.Reshuffle()


class Barrier(beam.PTransform):
    """Numbers below `sharers` → numbers below `count`, each once, and none before all sharers have come.

    Each sharer names its share, so what travels grows with the larger of the two counts and not with their product.
    """

    def __init__(self, sharers: int, count: int) -> None:
        super().__init__()
        self._sharers = sharers
        self._count = count

    def expand(self, numbers: PCollection[int]) -> PCollection[int]:
        return (
            numbers
            | "Name" >> beam.FlatMap(_named, self._sharers, self._count).with_output_types(tuple[int, int])
            | "Wait" >> beam.GroupByKey()
            | "Next" >> beam.Keys().with_output_types(int)
        )


def _named(number: int, sharers: int, count: int) -> Iterator[tuple[int, int]]:
    for named in share_of(number, sharers, count):
        yield named, number


def share_of(number: int, sharers: int, count: int) -> range:
    """What sharer `number` of `sharers` names of `count` numbers: together they name each of them once."""
    return range(number, count, sharers)
