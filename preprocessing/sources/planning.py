"""Cutting the input into independent pieces of work of about 64 MB.

What can be cut is cut where a document begins, so a reader takes its bytes `[start, end)` and nothing else:

    wikipedia   bz2 multistream: at stream boundaries; plain XML: anywhere; gz, zst, one bz2 stream: the whole file
    sentences   plain: after a blank line; compressed: the whole file
    jsonlines   plain: after a line feed; compressed: the whole file
    parquet     at row groups (start and end count row groups)
    dataset     at the files of the data set (start and end count its shards)
    books       whole files: a book is one document

Small files of one source that follow each other share a split (`more`). The order and the keys depend on names,
sizes and contents, never on where the input lies.
"""

import os
from collections.abc import Iterable, Iterator
from dataclasses import replace
from typing import Any

import xxhash

from preprocessing.errors import PreprocessingError
from preprocessing.sources.decompression import detect_compression
from preprocessing.sources.input_files import InputFile, find_input_files, unreadable
from preprocessing.sources.options import InputOptions
from preprocessing.sources.split import SPLIT_BYTES, Split
from preprocessing.sources.wikipedia.split_points import split_points

FILES_PER_SPLIT = 4096
_SAMPLE_BYTES = 64 << 10
_SEARCH_BLOCK_BYTES = 1 << 20
_BOUNDARIES = {"jsonlines": (b"\n",), "sentences": (b"\n\n", b"\n\r\n")}


def plan_splits(inputs: InputOptions, split_bytes: int = SPLIT_BYTES) -> list[Split]:
    """Every input as splits, by source, then file name, then position.

    Reads only the ends of ranges and the neighbourhood of cuts (bz2 and Parquet: as their readers need). Raises
    PreprocessingError for an input that is missing, empty, a folder, unreadable or named like another, and when
    there is no input at all.
    """
    splits: list[Split] = []
    for source in ("wikipedia", "books", "jsonlines", "parquet", "sentences"):
        files = find_input_files(source, getattr(inputs, source), skip_bad_files=inputs.skip_bad_files)
        pieces = (piece for file in files for piece in _cut(source, file, split_bytes, inputs.skip_bad_files))
        splits.extend(_gather(pieces, split_bytes))
    if inputs.dataset:
        from preprocessing.sources.records.huggingface import (
            plan_dataset,  # imports datasets: seconds, so only if asked
        )

        for name in inputs.dataset:
            splits.extend(plan_dataset(name, inputs))
    if not splits:
        raise PreprocessingError(
            "There is no input; give at least one of --wikipedia, --books, --jsonlines, --parquet, --dataset, "
            "--sentences."
        )
    return splits


def _cut(source: str, file: InputFile, split_bytes: int, skip_bad_files: bool) -> Iterator[Split]:
    try:
        compression = detect_compression(file.path) if file.size else ""
        whole = Split(source, file.path, file.name, 0, file.size, compression)
        for start, end in _ranges(whole, split_bytes):
            piece = replace(whole, start=start, end=end)
            yield replace(piece, sample=_sample_hash(piece))
    except (OSError, PreprocessingError) as error:
        if skip_bad_files:  # the reader meets the same fault, and counts it
            yield Split(source, file.path, file.name, 0, file.size)
        elif isinstance(error, OSError):
            raise unreadable(source, file.path, error) from error
        else:
            raise


def _ranges(whole: Split, split_bytes: int) -> Iterable[tuple[int, int]]:
    if whole.source == "parquet":
        from preprocessing.sources.records.parquet import row_group_ranges

        return row_group_ranges(whole.path, whole.file, split_bytes)
    if whole.size <= split_bytes:
        return [(0, whole.size)]
    if whole.source == "wikipedia":
        return split_points(whole.path, split_bytes)
    if whole.source in _BOUNDARIES and not whole.compression:
        return list(_aligned_ranges(whole.path, whole.size, split_bytes, _BOUNDARIES[whole.source]))
    return [(0, whole.size)]


def _aligned_ranges(path: str, size: int, split_bytes: int, boundaries: tuple[bytes, ...]) -> Iterator[tuple[int, int]]:
    """Ranges that tile the file; each but the first begins right after a boundary, `split_bytes` or more further on."""
    start = 0
    with open(path, "rb") as stream:
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
        cost = _stored_bytes(piece)
        if group and (total + cost > split_bytes or len(group) >= FILES_PER_SPLIT):
            yield replace(group[0], more=tuple(group[1:]))
            group, total = [], 0
        group.append(piece)
        total += cost
    if group:
        yield replace(group[0], more=tuple(group[1:]))


def _stored_bytes(piece: Split) -> int:
    if piece.source == "parquet":  # its range counts row groups, not bytes
        return os.path.getsize(piece.path) if piece.start == 0 else SPLIT_BYTES
    return piece.end - piece.start


def _sample_hash(piece: Split) -> str:
    in_bytes = piece.source != "parquet"
    with open(piece.path, "rb") as stream:
        start, end = (piece.start, piece.end) if in_bytes else (0, os.path.getsize(piece.path))
        stream.seek(start)
        head = stream.read(min(_SAMPLE_BYTES, end - start))
        stream.seek(max(start, end - _SAMPLE_BYTES))
        tail = stream.read(end - stream.tell())
    return xxhash.xxh3_64_hexdigest(head + tail)
