"""Where the parts of one start of a Dask cluster meet: a folder, on a file system that every node sees.

    dask.yaml         Dask's configuration, and in it the key by which the parts know one another
    scheduler.json    the scheduler's address; there from when it listens until all is over

Every start has a folder of its own, which only its user may read, so no address of an earlier start misleads anybody:
not after a requeue, not where the number of a job is used again, not out of a file server's cache.
"""

import json
import os
import stat
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from cluster.errors import ClusterError

LOOK_SECONDS = 0.5


@dataclass(frozen=True)
class Meeting:
    """The folder of one start."""

    folder: Path

    @property
    def settings_file(self) -> Path:
        return self.folder / "dask.yaml"

    @property
    def address_file(self) -> Path:
        """Dask's own description of the scheduler, in JSON."""
        return self.folder / "scheduler.json"

    @property
    def environment(self) -> dict[str, str]:
        """This process's own, by which Dask finds the configuration.

        Workers write nothing to disk, so it says nothing to anybody that their folders are slow to make.
        """
        warnings = ",".join(filter(None, (os.environ.get("PYTHONWARNINGS"), "ignore:Creating scratch directories")))
        return {**os.environ, "DASK_CONFIG": str(self.settings_file.absolute()), "PYTHONWARNINGS": warnings}

    def open(self, settings: dict[str, Any]) -> None:
        """Writes the configuration, by names with dots, into the folder, which is made where it is not there.

        Raises ClusterError where others could read it, where it was used before, and where it cannot be written.
        """
        import dask
        import yaml

        nested: dict[str, Any] = {}
        dask.config.set(settings, config=nested)
        try:
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            found = self.folder.stat()
            if found.st_uid != os.geteuid() or stat.S_IMODE(found.st_mode) & 0o077:
                raise ClusterError(
                    f"{self.folder}: others may read it, and there will be a secret in it; give a new folder, or "
                    f"chmod 700 {self.folder}"
                )
            if any(self.folder.iterdir()):
                raise ClusterError(f"{self.folder} is not empty: an earlier start met there; give a new folder")
            file = os.open(self.settings_file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(file, "w", encoding="utf-8") as stream:
                yaml.safe_dump(nested, stream)
        except OSError as error:
            raise ClusterError(f"{self.folder} cannot be written: {error.strerror or error}; mend that") from error

    def publish(self, written: Path, seconds: float, alive: Any) -> None:
        """Makes the scheduler's own file, `written` step by step, the address file when it is whole.

        Raises ClusterError when that takes longer, or when `alive()` no longer holds.
        """
        deadline = time.monotonic() + seconds
        while _address_in(written) is None:
            if not alive() or time.monotonic() > deadline:
                raise ClusterError("Dask's scheduler did not start on the first node; see above")
            time.sleep(LOOK_SECONDS)
        written.replace(self.address_file)

    def address(self) -> str | None:
        """The scheduler's, such as ``tls://10.0.0.1:41234``; None before it listens, and when all is over."""
        return _address_in(self.address_file)

    def close(self) -> None:
        """Removes what this program wrote, and the folder if nothing else is there."""
        for file in (self.address_file, self.settings_file):
            file.unlink(missing_ok=True)
        if not any(self.folder.iterdir()):
            self.folder.rmdir()


def _address_in(file: Path) -> str | None:
    try:
        return str(json.loads(file.read_text(encoding="utf-8"))["address"])
    except (OSError, ValueError, KeyError):  # not there yet, or not yet whole
        return None
