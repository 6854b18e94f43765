"""The output folder of a build from start to end: whose it is, what is complete, the manifest, the cleaning up."""

import json
import os
import re
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import replace
from itertools import chain

import numpy as np

from preprocessing.atomic_file import make_folder, write_text
from preprocessing.build.buckets import BucketResult, all_in_place, read_result
from preprocessing.build.configuration import Job, differences
from preprocessing.build.references import documents_by_number, read_sidecar
from preprocessing.documents.bad_share import BadShare
from preprocessing.documents.drop_lists import refuse_idle_lists
from preprocessing.documents.options import DocumentOptions
from preprocessing.documents.text_checks import warnings_of
from preprocessing.errors import PreprocessingError
from preprocessing.examples.statistics import CorpusStatistics, ExampleStatistics
from preprocessing.folder_lock import FolderLock
from preprocessing.jobs.failures import forget_failures
from preprocessing.jobs.splits import largest_first, write_splits
from preprocessing.jobs.watch import BuildWatch, Phase, forget_progress
from preprocessing.owned_folder import held_folder, remove_own, require_own
from preprocessing.progress import SILENT, Progress
from preprocessing.shards import (
    FORMAT_VERSION,
    MANIFEST_NAME,
    SPLITS,
    TABLE_NAMES,
    TABLES_FOLDER,
    DocumentTableRecord,
    DocumentTableRecords,
    InputRecord,
    InputRecords,
    Manifest,
    PackedShards,
    ShardRecords,
    statistics_key,
)
from preprocessing.shards.report import write_report
from preprocessing.shards.thresholds import ThresholdOptions, enforce
from preprocessing.sources.identity import KnownInputs, write_known
from preprocessing.sources.split import Split
from preprocessing.sources.threads import in_threads
from preprocessing.storage import Location, RemoteLock, absolute
from preprocessing.tally import Tally
from preprocessing.tokens.corpus import Array
from preprocessing.tokens.lost_marks import lost_marks
from preprocessing.tokens.tokenizer import Tokenizer

BUILD_NAME = "build.json"
LOCK_NAME = "build.lock"
INPUTS_NAME = "inputs.feather"
# Before every name of a file, so that the sample of notes always holds it.
_THE_BUILD = ""

# What a build writes, folder by folder; nothing else is ever removed.
_SHARDS = r"part-\d{5,}-of-\d{5,}\.arrow"
_INTERMEDIATE = r"(?:split-[0-9a-f]{32}|splits|partition-\d{5,}|bucket-\d{5,})(?:-[0-9a-f]{16})?\.(?:arrow|json)"
_TOKENIZER = r"vocab\.txt|tokenizer\.json|tokenizer_config\.json"
_TABLES = "|".join(map(re.escape, TABLE_NAMES))
_TOP = r"inputs\.feather|build\.json|manifest\.json|report\.html|report\.json"


def with_absolute_paths(split: Split) -> Split:
    """The split as workers in other working directories find it. Names in outputs stay as they are."""
    path = absolute(split.path) if os.path.exists(split.path) else split.path
    return replace(split, path=path, more=tuple(with_absolute_paths(other) for other in split.more))


def with_absolute_files(options: DocumentOptions) -> DocumentOptions:
    """The same for files that options name."""
    decontamination = options.decontamination.model_copy(
        update={"files": tuple(absolute(file) for file in options.decontamination.files)}
    )
    lists = tuple(absolute(file) for file in options.drop_lists)
    return options.model_copy(update={"decontamination": decontamination, "drop_lists": lists})


def is_complete(job: Job) -> bool:
    """Whether the folder holds this very build, complete. Nothing is written.

    Raises PreprocessingError when the folder is somebody's or belongs to another build.
    """
    require_own(job.folder, BUILD_NAME, LOCK_NAME)
    _refuse_other_build(job)
    if not (job.folder / MANIFEST_NAME).is_file():
        return False
    manifest = Manifest.read(job.folder)
    return all_in_place(job.folder, chain(manifest.shards.files(), manifest.documents.files()))


def lock(job: Job) -> FolderLock | RemoteLock:
    """Held while the folder is written, so that two builds never write into one."""
    return held_folder(job.folder, BUILD_NAME, LOCK_NAME)


def known_inputs(folder: Location, split_bytes: int) -> KnownInputs:
    """What the build in the folder, if there is one, read."""
    return KnownInputs.read(folder / INPUTS_NAME, split_bytes)


def start(job: Job, tokenizer: Tokenizer, splits: Sequence[Split], split_bytes: int) -> None:
    """Makes the folder this build's own. Raises PreprocessingError when it cannot be written.

    What a killed build left half-written is removed, and a manifest whose files are gone.
    """
    identity = {
        "configuration_hash": job.configuration_hash,
        "inputs_hash": job.inputs_hash,
        "configuration": job.configuration.to_json(),
    }
    write_text(job.folder / BUILD_NAME, json.dumps(identity, indent=1, sort_keys=True) + "\n")
    (job.folder / MANIFEST_NAME).unlink(missing_ok=True)
    write_known(job.folder / INPUTS_NAME, splits, split_bytes)
    make_folder(job.intermediate)
    remove_own(job.folder, _TOP, temporary_only=True)
    remove_own(job.tokenizer_path, _TOKENIZER, temporary_only=True)
    remove_own(job.folder / TABLES_FOLDER, _TABLES, temporary_only=True)
    remove_own(job.intermediate, _INTERMEDIATE, temporary_only=True)
    lengths = job.configuration.examples.sequence_lengths
    for place in (
        "documents",
        "duplicates",
        *(statistics_key(split, length) for split in SPLITS for length in lengths),
    ):
        remove_own(job.folder / place, _SHARDS, temporary_only=True)
    forget_failures(job.intermediate)
    write_splits(job.splits_path, largest_first(splits))
    tokenizer.save(job.tokenizer_path)


def watch(job: Job, splits: Sequence[Split], progress: Progress = SILENT) -> BuildWatch:
    """Tells how far the build is; buckets count alike, as nobody knows their sizes yet."""
    total = sum(split.size for split in splits)

    def numbered(name: str, file: str, count: int, unit: str) -> Phase:
        sizes = {f"{number:05d}": total // count for number in range(count)}
        return Phase(name, sizes, re.compile(rf"{file}-(\d{{5,}})-{job.mark}\.json"), unit)

    of_split = re.compile(rf"split-([0-9a-f]{{32}})-{job.mark}\.json")
    extract = Phase("extract", {split.key: split.size for split in splits}, of_split, "splits")
    gather = () if job.partitions.direct else (numbered("gather", "partition", job.partitions.count, "partitions"),)
    build = numbered("build shards", "bucket", job.configuration.buckets, "buckets")
    return BuildWatch(job.folder, job.intermediate, (extract, *gather, build), progress)


def finish(
    job: Job, splits: Sequence[Split], tokenizer: Tokenizer, thresholds: ThresholdOptions, progress: Progress = SILENT
) -> Manifest:
    """Checks that nothing was lost and that inputs and examples are fit to train on; writes report and manifest."""
    tally, bad_share = Tally(), BadShare()
    partitions = job.partitions
    expected = np.zeros(partitions.count, np.int64)
    contents = progress.over(
        in_threads(read_sidecar, [job.split_path(split.key, ".json") for split in splits]),
        *("add up splits", len(splits), "splits"),
    )
    for split, content in zip(splits, contents, strict=True):
        if content is None:
            raise PreprocessingError(f"The runner lost the split of {split.file}; run the same command again.")
        counted = Tally.from_json(content["tally"])
        tally.merge(counted)
        bad_share.add(split, counted)
        expected += documents_by_number(content, partitions.count)
    bad_share.enforce(job.max_bad_share)
    if not partitions.direct:
        expected = _gathered(job, expected, progress)
    corpus = CorpusStatistics()
    statistics: dict[str, ExampleStatistics] = {}
    # A result is let go before the next one is read: histograms as dicts are gigabytes where there are many buckets.
    packed, documents = PackedShards(), list[DocumentTableRecord]()
    filled = np.flatnonzero(expected).tolist()
    results = in_threads(lambda bucket: _result(job, bucket, int(expected[bucket])), filled)
    for result in progress.over(results, "add up buckets", len(filled), "buckets"):
        tally.merge(Tally.from_json(result.tally))
        corpus += result.corpus
        for key, found in result.statistics.items():
            statistics[key] = statistics.get(key, ExampleStatistics()) + found
        packed.add(result.shards)
        documents.append(result.documents)
    _balance(tally, documents)
    refuse_idle_lists(job.configuration.source.drop_lists, tally)
    objective = job.configuration.examples.objective
    _refuse_too_little(tally, statistics, objective)
    enforce(thresholds, corpus, statistics, pairs=objective != "none")
    source = job.configuration.source
    for sentence in warnings_of(tally.counters, source.language):
        tally.note(_THE_BUILD, sentence, "warnings.text")
    for sentence in lost_marks(tokenizer, source.language):
        tally.note(_THE_BUILD, sentence, "warnings.lost_marks")
    manifest = Manifest(
        format_version=FORMAT_VERSION,
        configuration_hash=job.configuration_hash,
        configuration=job.configuration.to_json(),
        inputs_hash=job.inputs_hash,
        inputs=InputRecords.of(_inputs(splits)),
        tokenizer_fingerprint=tokenizer.fingerprint,
        vocabulary_size=tokenizer.vocabulary_size,
        buckets=job.configuration.buckets,
        lengths=job.configuration.examples.sequence_lengths,
        shards=ShardRecords(*packed.finish()),
        documents=DocumentTableRecords.of(documents),
        tally=tally.to_json(),
        corpus=corpus,
        statistics=statistics,
    )
    write_report(manifest, job.folder)
    manifest.write(job.folder)
    return manifest


def clean(job: Job, *, keep: bool) -> None:
    """Removes the intermediate files of a complete build; the folder stays where it holds something else."""
    forget_progress(job.folder)
    if not keep:
        with suppress(OSError):  # a folder that may only be read, or that is not empty
            remove_own(job.intermediate, _INTERMEDIATE)
            job.intermediate.rmdir()


def _refuse_other_build(job: Job) -> None:
    path = job.folder / BUILD_NAME
    try:
        identity = json.loads(path.read_text(encoding="utf-8"))
        other_configuration, other_inputs = identity["configuration_hash"], identity["inputs_hash"]
        changed = differences(identity["configuration"], job.configuration.to_json())
    except (FileNotFoundError, NotADirectoryError):
        return
    except PermissionError as error:
        raise PreprocessingError(f"{path} cannot be read: permission is denied; choose another --output.") from error
    except (ValueError, KeyError, TypeError) as error:
        raise PreprocessingError(f"{path} is damaged; give another --output or remove {job.folder}.") from error
    if other_configuration != job.configuration_hash:
        raise PreprocessingError(
            f"{job.folder} was built with another configuration ({'; '.join(changed[:3])}); give another --output or "
            "remove the folder."
        )
    if other_inputs != job.inputs_hash:
        raise PreprocessingError(
            f"{job.folder} was built from other inputs, or from the same with another --split-bytes; give another "
            "--output or remove the folder."
        )


def _gathered(job: Job, expected: Array, progress: Progress) -> Array:
    """int64, by bucket: the documents of each, from the partitions; `expected` is what the splits dealt to these."""
    counted = np.zeros(job.configuration.buckets, np.int64)
    dealt = progress.over(expected.tolist(), "add up partitions", len(expected), "partitions")
    for partition, documents in enumerate(dealt):
        sidecar = job.partition_path(partition, ".json")
        content = read_sidecar(sidecar)
        if content is not None:
            found = documents_by_number(content, len(counted))
            _require_delivered(int(found.sum()), documents, f"partition {partition}", sidecar)
            counted += found
        else:
            _require_delivered(0, documents, f"partition {partition}", sidecar)
    return counted


def _result(job: Job, bucket: int, documents: int) -> BucketResult:
    result = read_result(job, bucket)
    _require_delivered(result.documents_in if result else 0, documents, f"bucket {bucket}", job.bucket_path(bucket))
    assert result is not None  # there are no empty buckets among those that are asked for
    return result


def _require_delivered(found: int, documents: int, place: str, sidecar: Location) -> None:
    if found != documents:
        raise PreprocessingError(
            f"The runner delivered {found} of {documents} documents to {place}; remove {sidecar} if it is there, and "
            "run the same command again on another runner."
        )


def _balance(tally: Tally, documents: Sequence[DocumentTableRecord]) -> None:
    rows = sum(table.rows for table in documents)
    if tally.unaccounted or rows != tally.documents_out:
        raise PreprocessingError(
            f"The books do not balance: {tally.documents_in} documents in, {tally.documents_out} out, "
            f"{sum(tally.dropped.values())} dropped, {rows} in the document tables; this is a fault of the program, "
            "please report it."
        )


def _refuse_too_little(tally: Tally, statistics: dict[str, ExampleStatistics], objective: str) -> None:
    dropped = ", ".join(f"{count} {reason}" for reason, count in tally.dropped.items()) or "none"
    if not tally.documents_out:
        raise PreprocessingError(
            f"No document is left of {tally.documents_in} (dropped: {dropped}); check the inputs and the cleaning "
            "options."
        )
    if objective == "next-sentence" and tally.documents_out == 1:
        raise PreprocessingError(
            f"The corpus is a single document (dropped: {dropped}), so next-sentence prediction has no other to draw "
            "from; separate its documents (by blank lines, or --books.document chapter), or choose --objective "
            "sentence-order or none."
        )
    if not any(found.rows for place, found in statistics.items() if place.startswith("train/")):
        raise PreprocessingError(
            f"The {tally.documents_out} documents that are left make no training example; give more text, or documents "
            "of two sentences or more."
        )


def _inputs(splits: Sequence[Split]) -> tuple[InputRecord, ...]:
    records: dict[tuple[str, str], InputRecord] = {}
    for piece in (piece for split in splits for piece in split.pieces()):
        before = records.get((piece.source, piece.file))
        records[piece.source, piece.file] = InputRecord(
            source=piece.source,
            file=piece.file,
            bytes=piece.size + (before.bytes if before else 0),
            splits=1 + (before.splits if before else 0),
        )
    return tuple(records.values())
