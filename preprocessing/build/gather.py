"""The step between the halves of a large build, for one partition: the splits' files → one file dealt to buckets.

Beside the file a sidecar, written last: where it lies, the partition is done.
"""

import pyarrow as pa

from preprocessing.atomic_file import replacing
from preprocessing.build.configuration import Job
from preprocessing.build.extract import intermediate_schema, loaded_tokenizer
from preprocessing.build.partitions import deal, held
from preprocessing.build.references import read_batches, read_sidecar, references_of_partition, write_sidecar

# Buckets are read in as many pieces as a partition was held in: more memory, fewer pieces.
GATHERED_TOKENS = 32 << 20


def gather_partition(partition: int, job: Job) -> None:
    """Writes the partition's file and sidecar, unless they are there.

    Memory is bounded by `GATHERED_TOKENS`, whatever the partition holds. Raises PreprocessingError for a split's file
    that is missing or damaged, and where the partition's cannot be written.
    """
    sidecar, target = job.partition_path(partition, ".json"), job.partition_path(partition, ".arrow")
    if read_sidecar(sidecar) is not None and target.is_file():
        return
    partitions = job.partitions
    batches = read_batches(references_of_partition(partition, job), job.intermediate)
    schema = intermediate_schema(loaded_tokenizer(job))
    dealt: list[tuple[int, int]] = []
    with (
        replacing(target) as temporary,
        pa.OSFile(str(temporary), "wb") as sink,
        pa.ipc.new_file(sink, schema) as writer,
    ):
        for table in held(batches, GATHERED_TOKENS):
            dealt += deal(table, partitions.bucket_of(table), writer)
    write_sidecar(sidecar, dealt)
