"""A worker process of the local engine: Beam's own, which by itself reports every step of its start and end."""

import sys

from preprocessing.jobs.runners import quiet


def main() -> None:
    """Works for the driver that started this process, and whose addresses are in its environment, until that ends."""
    quiet()
    from apache_beam.runners.worker import sdk_worker_main  # late: what it logs while it is imported is kept quiet

    sdk_worker_main.main(sys.argv)
