"""What finding near-duplicates costs once signatures are there: time and memory of each step, on synthetic signatures.

    .venv/bin/python -m benchmarks.near_duplicates --documents 1000000 --splits 54

One document in `--every` is an exact duplicate of another. Every step runs in this process, one piece after the other,
so seconds are CPU time for the whole corpus; memory is the most anonymous memory above that before the step. The last
line is one JSON object.
"""

import json
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

import numpy as np
import pyarrow as pa
import xxhash

from benchmarks.command import benchmark_parser, run
from preprocessing.documents.drop_lists import write_sorted_keys
from preprocessing.documents.near_duplicates.bands import sort_bands
from preprocessing.documents.near_duplicates.candidates import find_candidates
from preprocessing.documents.near_duplicates.groups import find_groups
from preprocessing.documents.near_duplicates.groups_table import largest_groups, write_groups
from preprocessing.documents.near_duplicates.job import NearDuplicateJob
from preprocessing.documents.near_duplicates.members import Members, write_members
from preprocessing.documents.near_duplicates.pairs import compare_pairs
from preprocessing.documents.near_duplicates.signatures import NearDuplicateOptions, signature_schema
from preprocessing.documents.options import DocumentOptions

_ROWS_AT_A_TIME = 1000


def write_synthetic(folder: Path, documents: int, splits: int, every: int) -> tuple[NearDuplicateJob, list[str]]:
    """Signature files of random numbers, one in `every` equal to the one before it; the splits' keys."""
    options = NearDuplicateOptions()
    schema, random = signature_schema(options.permutations), np.random.default_rng(0)
    keys = sorted(xxhash.xxh3_128_hexdigest(str(number).encode()) for number in range(splits))
    job = NearDuplicateJob(folder, "0" * 16, splits, DocumentOptions(), options)
    edges = [documents * number // splits for number in range(splits + 1)]
    for number, key in enumerate(keys):
        with pa.ipc.new_file(str(job.signature_path(key)), schema) as writer:
            for begin in range(edges[number], edges[number + 1], _ROWS_AT_A_TIME):
                rows = min(_ROWS_AT_A_TIME, edges[number + 1] - begin)
                signatures = random.integers(0, 2**32, (rows, options.permutations), dtype=np.uint32)
                again = signatures[1::every]
                again[:] = signatures[0::every][: len(again)]
                columns = [
                    pa.Array.from_buffers(pa.binary(16), rows, [None, pa.py_buffer(random.bytes(16 * rows))]),
                    pa.array(random.integers(1, 9999, rows), pa.uint64()),
                    pa.Array.from_buffers(
                        schema.field("signature").type, rows, [None, pa.py_buffer(signatures.tobytes())]
                    ),
                    *(pa.array([text] * rows) for text in ("wikipedia", "dump.xml.bz2", "12345")),
                ]
                writer.write_batch(pa.record_batch(columns, schema=schema))
    return job, keys


def measure(step: Callable[[int], object], pieces: Iterable[int]) -> dict[str, float]:
    """Seconds of CPU of all pieces, and the peak of anonymous memory (MB) above that before the first."""
    before, peak, done, began = _anonymous_bytes(), [0], threading.Event(), time.process_time()

    def watch() -> None:
        while not done.wait(0.01):
            peak[0] = max(peak[0], _anonymous_bytes())

    watcher = threading.Thread(target=watch)
    watcher.start()
    for piece in pieces:
        step(piece)
    done.set()
    watcher.join()
    return {
        "cpu_seconds": round(time.process_time() - began, 1),
        "peak_mb": round(max(0, peak[0] - before) / 1e6, 1),
    }


def step_figures(documents: int, splits: int, every: int) -> dict[str, dict[str, float]]:
    """Each step of linking, and the driver's end."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        job, keys = write_synthetic(folder, documents, splits, every)
        parts, ranges = range(job.parts), range(job.ranges)
        keys_of = [[keys[number] for number in job.splits_in(part)] for part in parts]
        figures = {
            "sort_bands": measure(lambda part: sort_bands(part, keys_of[part], job), parts),
            "find_candidates": measure(lambda number: find_candidates(number, job), ranges),
            "copy_members": measure(lambda part: write_members(part, job), parts),
            "compare_pairs": measure(lambda number: compare_pairs(number, job), ranges),
        }
        for kind in ("bands", "keys", "candidates", "partners", "members", "pairs"):
            size = sum(path.stat().st_size for path in folder.glob(f"{kind}-*"))
            figures[f"{kind}_files"] = {"bytes_per_document": round(size / documents, 1)}
        linked = [0]

        def drive(_: int) -> None:
            members = Members(job)
            groups = find_groups(job, members)
            linked[0] = len(groups.places)
            write_groups(folder / "groups.arrow", groups, members)
            write_sorted_keys(folder / "drop.arrow", "near_duplicate", groups.dropped_keys.astype(">u8").tobytes())
            largest_groups(groups, members)

        figures["driver"] = measure(drive, [0])
        figures["driver"]["linked_documents"] = linked[0]
        figures["driver"]["bytes_per_linked_document"] = round(figures["driver"]["peak_mb"] * 1e6 / linked[0], 1)
    return figures


def _anonymous_bytes() -> int:
    status = Path("/proc/self/status").read_text()
    return 1024 * int(status.partition("RssAnon:")[2].split()[0])


def main(argv: Sequence[str] | None = None) -> int:
    """Command line; returns the exit code."""
    parser = benchmark_parser("near_duplicates", __doc__)
    parser.add_argument("--documents", type=int, default=200_000, help="synthetic documents")
    parser.add_argument("--splits", type=int, default=20, help="splits that they come from")
    parser.add_argument("--every", type=int, default=20, help="one document in so many duplicates another")
    return run(parser, lambda given: print(json.dumps(step_figures(given.documents, given.splits, given.every))), argv)


if __name__ == "__main__":
    sys.exit(main())
