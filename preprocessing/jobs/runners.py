"""Apache Beam's side of a build: which runner, with which options, and what its failures mean."""

import argparse
import copy
import importlib
import logging
import re
import shlex
import signal
import sys
import threading
import time
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Self

from preprocessing.arguments import OptionParser, refuse_unknown
from preprocessing.errors import PreprocessingError, TransientError
from preprocessing.progress import add_quiet

if TYPE_CHECKING:  # Beam takes seconds to import, and warns while it does: the help and a wrong option need none of it.
    import apache_beam as beam
    from apache_beam.options.pipeline_options import PipelineOptions
    from apache_beam.runners.portability.fn_api_runner import FnApiRunner

# What the build was tried on, or is written for by the runner's documentation. Others lose data in silence too often.
KNOWN_RUNNERS = ("FnApiRunner", "DaskRunner", "PortableRunner", "FlinkRunner", "SparkRunner", "DataflowRunner")

LOCAL_WORKER = "from preprocessing.jobs.local_worker import main; main()"

ATTEMPTS, PAUSE_SECONDS = 3, 5.0
GRACE_SECONDS = 10.0
# How the local engine (in the main thread and in one of Beam's own) and Dask speak of a worker that is gone.
_KILLED, _EXITED, _KILLED_ON_DASK = "Channel closed prematurely", "Worker subprocess exited", "KilledWorker"

# Subclasses too: a traceback names them by their module.
_MESSAGE = re.compile(
    r"(?:PreprocessingError|TransientError|^preprocessing\.[\w.]+): (.+?)(?: \[while running '[^']*'\])?$", re.MULTILINE
)
_WHILE_RUNNING = re.compile(r" \[while running '[^']*'\]")


def add_runner_options(parser: OptionParser) -> None:
    """Options of ours about how a job runs: `beam_options` takes their values, and `progress_of` that of `--quiet`."""
    text = "worker processes (default: by `beam run` one for each core; by `python` one, in this process)"
    parser.add_argument("--workers", type=int, help=text)
    parser.add_argument("--allow-any-runner", action="store_true", help="do not refuse a runner that was never tried")
    add_quiet(parser)
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
    """Keeps the logs of Beam and Dask off stderr: warnings and tracebacks would bury the one sentence that matters."""
    root = logging.getLogger()
    root.setLevel(logging.ERROR)
    if not root.handlers:  # or the first warning of anybody would add one that lets everything through
        errors = logging.StreamHandler()
        errors.setLevel(logging.ERROR)
        root.addHandler(errors)
    logging.getLogger("apache_beam").setLevel(logging.CRITICAL)


def run_pipeline(options: "PipelineOptions", add_graph: "Callable[[beam.Pipeline], object]") -> None:
    """Runs the graph to its end. A worker's PreprocessingError is raised here, whatever the runner made of it.

    What may pass by itself, and a worker that was killed, are tried again from what is complete, up to `ATTEMPTS` times
    in all: not every runner does that itself.
    """
    for attempt in range(1, ATTEMPTS + 1):
        try:
            _run_once(options, add_graph)
            return
        except TransientError as error:
            if attempt == ATTEMPTS:
                raise
            print(f"{error}\nTrying again ({attempt + 1} of {ATTEMPTS}); what is complete is kept.", file=sys.stderr)
            time.sleep(PAUSE_SECONDS * attempt)


class _WorkerIsLostError(BaseException):
    """What the main thread is woken with; no `Exception`, or Beam's own handlers would have it."""


class _LostWorkers:
    """While a pipeline runs: what Beam's own threads in this process raise when a worker process is gone.

    They would print a traceback each, though the main thread raises it anyway. But for a worker that dies before it
    has spoken to the driver nothing is raised there, ever: then the main thread is interrupted.
    """

    # Only a true signal wakes a main thread that waits. SIGINT is ignored in what a script starts in the background;
    # SIGURG nobody sends, and nobody notices where no handler is.
    _WAKES = signal.SIGURG

    def __init__(self) -> None:
        self.any = False

    def __enter__(self) -> Self:
        self._before = threading.excepthook
        self._timer: threading.Timer | None = None
        threading.excepthook = self._hear
        self._handler = signal.signal(self._WAKES, self._wake)
        return self

    def __exit__(self, *_: object) -> None:
        threading.excepthook = self._before
        if self._timer is not None:
            self._timer.cancel()
        signal.signal(self._WAKES, self._handler)

    def _wake(self, *_: object) -> None:
        raise _WorkerIsLostError

    def _hear(self, raised: threading.ExceptHookArgs) -> None:
        if _EXITED in str(raised.exc_value) and not self.any:
            self.any = True
            main = threading.main_thread().ident
            self._timer = threading.Timer(GRACE_SECONDS, signal.pthread_kill, (main, self._WAKES))
            self._timer.daemon = True
            self._timer.start()


def _run_once(options: "PipelineOptions", add_graph: "Callable[[beam.Pipeline], object]") -> None:
    import apache_beam as beam

    lost = _LostWorkers()
    runner, options = _with_own_processes(options)
    try:
        with lost, beam.Pipeline(runner=runner, options=options) as pipeline:
            add_graph(pipeline)
    except _WorkerIsLostError as error:
        raise _killed() from error
    except PreprocessingError as error:
        raise type(error)(_WHILE_RUNNING.sub("", str(error))) from error
    except Exception as error:
        text = str(error)
        found = _MESSAGE.findall(text)
        if found:
            raise (TransientError if TransientError.__name__ in text else PreprocessingError)(found[-1]) from error
        if type(error).__name__ == _KILLED_ON_DASK or _KILLED in text or lost.any:
            raise _killed() from error
        raise


def _with_own_processes(options: "PipelineOptions") -> tuple["FnApiRunner | None", "PipelineOptions"]:
    """The local engine with processes of `local_worker`, and its options; for all else None, and the options alone."""
    from apache_beam.options.pipeline_options import DirectOptions, StandardOptions
    from apache_beam.runners.portability.fn_api_runner import FnApiRunner
    from apache_beam.transforms.environments import SubprocessSDKEnvironment

    processes = options.view_as(DirectOptions).direct_running_mode == "multi_processing"
    if options.view_as(StandardOptions).runner != "FnApiRunner" or not processes:
        return None, options
    options = copy.deepcopy(options)  # another attempt begins with the same again
    options.view_as(DirectOptions).direct_running_mode = "in_memory"  # or the runner would start Beam's own worker
    command = shlex.join([sys.executable, "-c", LOCAL_WORKER])
    return FnApiRunner(SubprocessSDKEnvironment.from_command_string(command)), options


def _killed() -> TransientError:
    return TransientError(
        "A worker process ended without a word; most likely it was killed because memory ran out: use fewer --workers, "
        "or a smaller --bucket-bytes."
    )
