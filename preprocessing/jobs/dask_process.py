"""What a scheduler or a worker of Dask begins with: Dask loads this module there, where its configuration names it."""

from contextlib import suppress
from pathlib import Path

from preprocessing.jobs.runners import quiet

# Of 1000. When a machine's memory runs out, Linux kills the process with the most points.
_POINTS = "500"


def dask_setup(server: object) -> None:
    """Keeps Beam's warnings off the log, and offers workers first when memory runs out.

    A worker is started again by its nanny, and its work is done again; without the nanny, the scheduler or the driver
    the whole job would begin anew.
    """
    from distributed import Worker

    quiet()
    if isinstance(server, Worker):
        with suppress(OSError):  # no Linux
            Path("/proc/self/oom_score_adj").write_text(_POINTS)
