"""Apache Beam's side of a build: which runner, with which options, and what its failures mean."""

import argparse
import importlib
import logging
import re
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from preprocessing.arguments import OptionParser, refuse_unknown
from preprocessing.errors import PreprocessingError

if TYPE_CHECKING:  # Beam takes seconds to import, and warns while it does: the help and a wrong option need none of it.
    import apache_beam as beam
    from apache_beam.options.pipeline_options import PipelineOptions

# What the build was tried on, or is written for by the runner's documentation. Others lose data in silence too often.
KNOWN_RUNNERS = ("FnApiRunner", "DaskRunner", "PortableRunner", "FlinkRunner", "SparkRunner", "DataflowRunner")

# Subclasses too: a traceback names them by their module.
_MESSAGE = re.compile(
    r"(?:PreprocessingError|^preprocessing\.[\w.]+): (.+?)(?: \[while running '[^']*'\])?$", re.MULTILINE
)
_WHILE_RUNNING = re.compile(r" \[while running '[^']*'\]")


def add_runner_options(parser: OptionParser) -> None:
    """Options of ours about the runner; `beam_options` takes their values."""
    text = "worker processes, where no --runner of Beam is named (default: one, in this process)"
    parser.add_argument("--workers", type=int, help=text)
    parser.add_argument("--allow-any-runner", action="store_true", help="do not refuse a runner that was never tried")
    parser.epilog = "Options of Apache Beam and of its runners, such as --runner, are taken as well."


def beam_options(arguments: Sequence[str], known: argparse.Namespace, parser: OptionParser) -> "PipelineOptions":
    """Beam's options from what our parser left over.

    Where no runner is named it is FnApiRunner, with processes for more than one worker: the bare DirectRunner would
    download a binary. Raises PreprocessingError for an option that nobody knows and for a runner off the list.
    """
    from apache_beam.options.pipeline_options import PipelineOptions

    workers = known.workers
    arguments = list(arguments)
    named = [argument for argument in arguments if argument.split("=")[0] == "--runner"]
    if workers is not None and workers < 1:
        raise PreprocessingError(f"--workers {workers}: must be at least 1.")
    if not named:
        arguments = [*arguments, "--runner=FnApiRunner"]
    options = PipelineOptions(arguments)
    runner = str(options.get_all_options()["runner"] or "")
    if "." in runner:  # its module defines options of its own
        try:
            importlib.import_module(runner.rpartition(".")[0])
        except ImportError as error:
            raise PreprocessingError(
                f"--runner {runner} cannot be imported ({error}); install what it needs."
            ) from error
    of_beam = options.get_all_options()
    every = options.get_all_options(retain_unknown_options=True)
    unknown = [f"--{name}" for name in every if name not in of_beam]
    ours = list(parser._option_string_actions)
    refuse_unknown(unknown, [*ours, *(f"--{name}" for name in of_beam)])
    if runner.rpartition(".")[2] not in KNOWN_RUNNERS and not known.allow_any_runner:
        raise PreprocessingError(
            f"--runner {runner} is not one of {', '.join(KNOWN_RUNNERS)}; choose one, or add --allow-any-runner."
        )
    if runner == "FnApiRunner" and workers is not None and not any("direct_num_workers" in a for a in arguments):
        mode = "multi_processing" if workers > 1 else "in_memory"
        arguments = [*arguments, f"--direct_num_workers={workers}"]
        if not any("direct_running_mode" in argument for argument in arguments):
            arguments = [*arguments, f"--direct_running_mode={mode}"]
    return PipelineOptions(arguments)


def quiet() -> None:
    """Keeps Beam's log off stderr: its warnings and tracebacks would bury the one sentence that matters."""
    logging.getLogger().setLevel(logging.ERROR)
    logging.getLogger("apache_beam").setLevel(logging.CRITICAL)


def run_pipeline(options: "PipelineOptions", add_graph: "Callable[[beam.Pipeline], None]") -> None:
    """Runs the graph to its end. A worker's PreprocessingError is raised here, whatever the runner made of it."""
    import apache_beam as beam

    try:
        with beam.Pipeline(options=options) as pipeline:
            add_graph(pipeline)
    except PreprocessingError as error:
        raise PreprocessingError(_WHILE_RUNNING.sub("", str(error))) from error
    except Exception as error:
        found = _MESSAGE.findall(str(error))
        if found:
            raise PreprocessingError(found[-1]) from error
        raise
