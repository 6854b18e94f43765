"""The folder of a parsed corpus from start to end: whose it is, what is complete, and `corpus.json`, written last.

    parse.json        first: which options and inputs the folder is for
    inputs.feather    the inputs as they were found, for --trust-times
    documents/        a file of documents and a sidecar for each split
    intermediate/     the splits, for the workers, and what they could not read; gone at the end
    corpus.json       last

Nothing else is ever removed.
"""

import json
import re
from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any

from preprocessing.atomic_file import make_folder, write_text
from preprocessing.build.configuration import differences, inputs_hash
from preprocessing.documents.bad_share import BadShare
from preprocessing.documents.options import DocumentOptions
from preprocessing.documents.parsed_documents import read_sidecar, sidecar_hash
from preprocessing.documents.parsed_options import parsed_identity
from preprocessing.errors import PreprocessingError
from preprocessing.folder_lock import FolderLock
from preprocessing.jobs.failures import forget_failures
from preprocessing.jobs.splits import write_splits
from preprocessing.jobs.watch import BuildWatch, Phase, forget_progress
from preprocessing.owned_folder import held_folder, remove_own, require_own
from preprocessing.progress import SILENT, Progress
from preprocessing.sources.identity import KnownInputs, write_known
from preprocessing.sources.parsed_corpus import (
    CORPUS_NAME,
    CORPUS_VERSION,
    DOCUMENTS_FOLDER,
    ParsedCorpus,
    SplitRecord,
    documents_path,
)
from preprocessing.sources.split import Split
from preprocessing.storage import Location, RemoteLock, StorageOptions, current_options
from preprocessing.tally import Tally

MARKER_NAME, LOCK_NAME, INPUTS_NAME = "parse.json", "corpus.lock", "inputs.feather"
_SPLITS_NAME = "splits.arrow"
_TOP = r"inputs\.feather|parse\.json|corpus\.json"
_DOCUMENTS = r"split-[0-9a-f]{32}\.(?:arrow|json)"


@dataclass(frozen=True)
class ParseJob:
    """What a worker needs to know to parse a split; travels to every worker."""

    folder: Location
    """The output, as every worker sees it."""
    options: DocumentOptions
    """They name no drop list and no evaluation file: what a build leaves out, it leaves out itself."""
    storage: StorageOptions = field(default_factory=current_options)
    """How remote files are reached."""

    @property
    def intermediate(self) -> Location:
        return self.folder / "intermediate"

    @property
    def splits_path(self) -> Location:
        """All splits, for the workers."""
        return self.intermediate / _SPLITS_NAME

    def path(self, split: Split) -> Location:
        """Where the documents of a split go; its sidecar has the suffix .json."""
        return documents_path(self.folder, split.key)

    def read_counters(self, split: Split) -> dict[str, Any] | None:
        """The sidecar of a split whose file of documents lies there at its full size; None where that is not so."""
        path = self.path(split)
        sidecar = path.with_suffix(".json")
        if not (path.is_file() and sidecar.is_file()):
            return None
        try:
            found = read_sidecar(sidecar.read_bytes())
            return found if path.stat().st_size == found["bytes"] else None
        except (ValueError, KeyError, TypeError):  # a damaged one: what it stands for is made anew
            return None


def known_inputs(folder: Location, split_bytes: int) -> KnownInputs:
    """What the run that made the folder, if there was one, read."""
    return KnownInputs.read(folder / INPUTS_NAME, split_bytes)


def is_complete(job: ParseJob, splits: Sequence[Split]) -> bool:
    """Whether the folder holds this very corpus, complete. Nothing is written.

    Raises PreprocessingError when the folder is somebody's or belongs to another corpus.
    """
    require_own(job.folder, MARKER_NAME, LOCK_NAME)
    _refuse_other_corpus(job, splits)
    if not (job.folder / CORPUS_NAME).is_file():
        return False
    return not ParsedCorpus.read(job.folder).missing(job.folder)


def lock(job: ParseJob) -> FolderLock | RemoteLock:
    """Held while the folder is written, so that two runs never write into one."""
    return held_folder(job.folder, MARKER_NAME, LOCK_NAME)


def start(job: ParseJob, splits: Sequence[Split], split_bytes: int) -> None:
    """Makes the folder this corpus's own; removes what a killed run left half-written, and notes of failures."""
    write_text(job.folder / MARKER_NAME, json.dumps(_identity(job, splits), indent=1, sort_keys=True) + "\n")
    (job.folder / CORPUS_NAME).unlink(missing_ok=True)
    write_known(job.folder / INPUTS_NAME, splits, split_bytes)
    make_folder(job.folder / DOCUMENTS_FOLDER)
    remove_own(job.folder, _TOP, temporary_only=True)
    remove_own(job.folder / DOCUMENTS_FOLDER, _DOCUMENTS, temporary_only=True)
    make_folder(job.intermediate)
    remove_own(job.intermediate, re.escape(_SPLITS_NAME), temporary_only=True)
    forget_failures(job.intermediate)
    write_splits(job.splits_path, splits)


def watch(job: ParseJob, splits: Sequence[Split], progress: Progress = SILENT) -> BuildWatch:
    """Tells how far the parse is."""
    done = re.compile(r"split-([0-9a-f]{32})\.json")
    parse = Phase("parse", {split.key: split.size for split in splits}, done, "splits")
    return BuildWatch(job.folder, job.folder / DOCUMENTS_FOLDER, (parse,), progress)


def finish(
    job: ParseJob, splits: Sequence[Split], max_bad_share: float | None = None, progress: Progress = SILENT
) -> ParsedCorpus:
    """Checks that nothing was lost, and of no source more than `max_bad_share`; then writes `corpus.json`."""
    tally, bad_share = Tally(), BadShare()
    records = []
    for split in progress.over(splits, "add up splits", len(splits), "splits"):
        content = job.read_counters(split)
        if content is None:
            raise PreprocessingError(f"The runner lost the split of {split.file}; run the same command again.")
        sidecar = job.path(split).with_suffix(".json").read_bytes()
        counted = Tally.from_json(content["tally"])
        tally.merge(counted)
        bad_share.add(split, counted)
        records.append(SplitRecord.of(split, content["documents"], content["bytes"], sidecar_hash(sidecar)))
    bad_share.enforce(max_bad_share)
    written = sum(record.documents for record in records)
    if tally.unaccounted or written != tally.documents_out:
        raise PreprocessingError(
            f"The books do not balance: {tally.documents_in} documents in, {tally.documents_out} out, "
            f"{sum(tally.dropped.values())} dropped, {written} in the files; this is a fault of the program, please "
            "report it."
        )
    if not written:
        dropped = ", ".join(f"{count} {reason}" for reason, count in tally.dropped.items())
        raise PreprocessingError(
            f"No document is left of {tally.documents_in} (dropped: {dropped or 'none'}); check the inputs and the "
            "cleaning options."
        )
    corpus = ParsedCorpus(
        version=CORPUS_VERSION,
        options=parsed_identity(job.options),
        inputs_hash=inputs_hash(splits),
        splits=tuple(records),
        tally=tally.to_json(),
    )
    corpus.write(job.folder)
    forget_progress(job.folder)
    with suppress(OSError):  # it stays where it holds something else
        remove_own(job.intermediate, re.escape(_SPLITS_NAME))
        job.intermediate.rmdir()
    return corpus


def _identity(job: ParseJob, splits: Sequence[Split]) -> dict[str, Any]:
    return {
        "version": CORPUS_VERSION,
        "options": parsed_identity(job.options),
        "inputs_hash": inputs_hash(splits),
    }


def _refuse_other_corpus(job: ParseJob, splits: Sequence[Split]) -> None:
    path, ours = job.folder / MARKER_NAME, _identity(job, splits)
    try:
        theirs = json.loads(path.read_text(encoding="utf-8"))
        changed = [name for name in ours if theirs[name] != ours[name]]
    except (FileNotFoundError, NotADirectoryError):
        return
    except PermissionError as error:
        raise PreprocessingError(f"{path} cannot be read: permission is denied; choose another --output.") from error
    except (ValueError, KeyError, TypeError) as error:
        raise PreprocessingError(f"{path} is damaged; give another --output or remove {job.folder}.") from error
    if not changed:
        return
    if changed == ["inputs_hash"]:
        what = "from other inputs, or from the same with another --split-bytes"
    else:
        settings = differences({**theirs, "inputs_hash": ""}, {**ours, "inputs_hash": ""})
        what = f"with other options ({'; '.join(settings[:3])})"
    raise PreprocessingError(f"{job.folder} was parsed {what}; give another --output or remove the folder.")
