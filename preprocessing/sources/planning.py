"""Cutting the input into independent pieces of work of about 64 MB.

What can be cut is cut where a document begins, so a reader takes its bytes `[start, end)` and nothing else:

    wikipedia   plain XML: anywhere; bz2 multistream: at streams; otherwise where the compressed format can be entered
    sentences   after a blank line, plain or compressed
    jsonlines   after a line feed, plain or compressed
    parquet     at row groups (start and end count row groups)
    dataset     at the files of the data set (start and end count its shards)
    corpus      as it was cut when it was parsed
    books       whole files: a book is one document
    text        whole files

Where a compressed format can be entered is in `preprocessing.sources.seeking`. Small files of one source that follow
each other share a split (`more`). The order and the keys depend on names, sizes and contents, never on where the input
lies.
"""

import itertools
from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Any

from preprocessing.errors import PreprocessingError, TransientError, printable, raise_all
from preprocessing.progress import SILENT, Progress
from preprocessing.sources.decompression import detect_compression
from preprocessing.sources.identity import KnownInputs, with_content
from preprocessing.sources.input_files import InputFile, find_input_files, unreadable
from preprocessing.sources.options import InputOptions, RecordOptions
from preprocessing.sources.parsed_corpus import plan_corpora
from preprocessing.sources.seeking.cutting import cut_dump, cut_lines
from preprocessing.sources.seeking.seek_points import NotSeekableError
from preprocessing.sources.split import SPLIT_BYTES, Split
from preprocessing.sources.threads import BLOCK_BYTES, in_threads
from preprocessing.sources.wikipedia.split_points import split_points
from preprocessing.storage import open_file

FILES_PER_SPLIT = 4096
_SEARCH_BLOCK_BYTES = BLOCK_BYTES
# What one worker reads for so much longer than the others that the user should know.
_LARGE_SPLITS = 4
_BOUNDARIES = {"jsonlines": (b"\n",), "sentences": (b"\n\n", b"\n\r\n")}


def plan_splits(
    inputs: InputOptions,
    split_bytes: int = SPLIT_BYTES,
    known: KnownInputs | None = None,
    records: RecordOptions | None = None,
    progress: Progress = SILENT,
) -> list[Split]:
    """Every input as splits, by source, then file name, then position; those of parsed corpora last.

    All of every input is read once, for its hash, and large compressed files once more, to find where they can be cut,
    apart from files that `known` has with their size and time. A large file that cannot be cut is a remark.
    Raises PreprocessingError for inputs that are missing, empty, folders, unreadable or named like another (all files
    that are bad are named at once), and when there is no input at all. With `records` the columns of Parquet files are
    looked at too.
    """
    if split_bytes < 1:
        raise PreprocessingError(f"--split-bytes {split_bytes}: must be at least 1.")
    if inputs.books or inputs.text:
        from preprocessing.sources.html.parsing import require_parser  # imports lxml, so only if asked

        require_parser()
    pieces: list[Split] = []
    faults: list[PreprocessingError] = []
    files = [
        (source, file)
        for source in ("wikipedia", "books", "jsonlines", "parquet", "sentences", "text")
        for file in find_input_files(source, getattr(inputs, source), skip_bad_files=inputs.skip_bad_files)
    ]

    def cut(item: tuple[str, InputFile]) -> list[Split] | PreprocessingError:
        try:
            return (known.pieces(*item) if known else None) or _cut(*item, split_bytes, records, progress)
        except PreprocessingError as fault:
            return fault

    looked_at = progress.over(in_threads(cut, files), "cut inputs", len(files), "files")
    for (source, file), found in zip(files, looked_at, strict=True):
        if isinstance(found, list):
            pieces += found
        elif inputs.skip_bad_files and not isinstance(found, TransientError):
            # The reader meets the same fault, and counts it; what may pass by itself it might not meet.
            pieces.append(Split(source, file.path, file.name, 0, file.size))
        else:
            faults.append(found)
    pieces, unread = with_content(pieces, inputs.skip_bad_files, progress)
    raise_all([*faults, *unread])
    splits = [
        split
        for _, group in itertools.groupby(pieces, lambda piece: piece.source)
        for split in _gather(group, split_bytes)
    ]
    if inputs.dataset:
        from preprocessing.sources.records.huggingface import (
            plan_dataset,  # imports datasets: seconds, so only if asked
        )

        for name in inputs.dataset:
            splits.extend(plan_dataset(name, inputs))
    splits += plan_corpora(inputs.corpus, splits)
    if not splits:
        raise PreprocessingError(
            "There is no input; give at least one of --wikipedia, --books, --jsonlines, --parquet, --dataset, "
            "--sentences, --text, --corpus."
        )
    return splits


def _cut(
    source: str, file: InputFile, split_bytes: int, records: RecordOptions | None, progress: Progress
) -> list[Split]:
    try:
        compression = detect_compression(file.path) if file.size else ""
        whole = Split(source, file.path, file.name, 0, file.size, compression, modified=file.modified)
        if source == "parquet":
            return _row_groups(whole, split_bytes, records)
        if compression and file.size > split_bytes and source in ("wikipedia", *_BOUNDARIES):
            return _stream_ranges(whole, split_bytes, progress)
        return [replace(whole, start=start, end=end) for start, end in _ranges(whole, split_bytes)]
    except OSError as error:
        raise unreadable(source, file.path, error) from error


def _row_groups(whole: Split, split_bytes: int, records: RecordOptions | None) -> list[Split]:
    from preprocessing.sources.records.parquet import row_group_ranges

    ranges = list(row_group_ranges(whole.path, whole.file, split_bytes, records))
    ends = [whole.end * number // len(ranges) for number in range(1, len(ranges) + 1)]
    sizes = [end - start for start, end in zip([0, *ends], ends, strict=False)]
    return [replace(whole, start=a, end=b, bytes=size) for (a, b), size in zip(ranges, sizes, strict=True)]


def _ranges(whole: Split, split_bytes: int) -> Iterable[tuple[int, int]]:
    if whole.size <= split_bytes:
        return [(0, whole.size)]
    if whole.source == "wikipedia":
        return split_points(whole.path, split_bytes)
    if whole.source in _BOUNDARIES:
        return list(_aligned_ranges(whole.path, whole.size, split_bytes, _BOUNDARIES[whole.source]))
    return [(0, whole.size)]


def _stream_ranges(whole: Split, split_bytes: int, progress: Progress) -> list[Split]:
    if whole.source == "wikipedia":
        ranges = split_points(whole.path, split_bytes)
        # A dump of many streams keeps its splits; one long stream among them is worth other ones.
        if max(end - start for start, end in ranges) <= 2 * split_bytes:
            return [replace(whole, start=start, end=end) for start, end in ranges]
    try:
        if whole.source == "wikipedia":
            return cut_dump(whole, split_bytes)
        return cut_lines(whole, split_bytes, _BOUNDARIES[whole.source], is_text=whole.source == "sentences")
    except NotSeekableError as reason:
        if str(reason) and whole.size > _LARGE_SPLITS * split_bytes:
            progress.remark(
                f"preprocessing: --{whole.source} {printable(whole.path)} ({whole.size / (1 << 20):,.0f} MiB) is read "
                f"by one worker: it {reason}."
            )
        return [whole]


def _aligned_ranges(path: str, size: int, split_bytes: int, boundaries: tuple[bytes, ...]) -> Iterator[tuple[int, int]]:
    """Ranges that tile the file; each but the first begins right after a boundary, `split_bytes` or more further on."""
    start = 0
    with open_file(path) as stream:
        mark = stream.read(4)
        if mark[:2] in (b"\xff\xfe", b"\xfe\xff"):  # UTF-16 and UTF-32: line feeds are not single bytes
            yield 0, size
            return
        while size - start > split_bytes:
            cut = _after_boundary(stream, start + split_bytes, size, boundaries)
            yield start, cut
            start = cut
    if start < size:
        yield start, size


def _after_boundary(stream: Any, position: int, size: int, boundaries: tuple[bytes, ...]) -> int:
    overlap = max(map(len, boundaries)) - 1
    position = max(0, position - overlap)
    while position < size:
        stream.seek(position)
        block = stream.read(_SEARCH_BLOCK_BYTES)
        found = [block.find(mark) + len(mark) for mark in boundaries if mark in block]
        if found:
            return position + min(found)
        position += max(len(block) - overlap, 1)
    return size


def _gather(pieces: Iterable[Split], split_bytes: int) -> Iterator[Split]:
    """Joins neighbours while they fit into one split."""
    group: list[Split] = []
    total = 0
    for piece in pieces:
        cost = piece.size
        if group and (total + cost > split_bytes or len(group) >= FILES_PER_SPLIT):
            yield replace(group[0], more=tuple(group[1:]))
            group, total = [], 0
        group.append(piece)
        total += cost
    if group:
        yield replace(group[0], more=tuple(group[1:]))
