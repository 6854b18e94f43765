"""Hugging Face datasets with a text column, streamed: from the hub, or a local folder or file.

A split is one of the data set's own shards (its files), so workers share the reading. Locator: `shard=S;row=N`, both
counted from 0.
"""

import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import datasets
import xxhash

from preprocessing.errors import PreprocessingError
from preprocessing.sources.decompression import EXPANSION, PARQUET_EXPANSION
from preprocessing.sources.identity import content_hash
from preprocessing.sources.options import InputOptions, ReaderOptions
from preprocessing.sources.raw_document import RawDocument
from preprocessing.sources.records.record_text import paragraphs_of_record
from preprocessing.sources.split import Split
from preprocessing.storage import is_address
from preprocessing.tally import DOCUMENTS_IN, Tally

SOURCE = "huggingface"
UNKNOWN_SHARD_BYTES = 256 << 20
"""Taken for the size of a shard on the hub that tells none."""
_EXPANSION = {
    ".parquet": PARQUET_EXPANSION,
    ".gz": EXPANSION["gzip"],
    ".bz2": EXPANSION["bz2"],
    ".xz": EXPANSION["xz"],
    ".zst": EXPANSION["zstd"],
    ".zip": EXPANSION["gzip"],
}
_BUILDERS = {".json": "json", ".jsonl": "json", ".csv": "csv", ".parquet": "parquet", ".arrow": "arrow", ".txt": "text"}


def plan_dataset(name: str, inputs: InputOptions) -> list[Split]:
    """One split for each shard of the data set `name` (`name`, `name:configuration`, a folder or a file).

    `path` of the splits holds the arguments of `load` as JSON; their `content` stands for all of the data: the
    contents of local files, the commit on the hub. Raises PreprocessingError when the data set cannot be reached or
    read.
    """
    if is_address(name):
        raise PreprocessingError(
            f"--dataset {name}: addresses are read by the other input options alone; give its files by --parquet or "
            "--jsonlines, or copy the data set to a local disk."
        )
    path, _, configuration = (name, "", "") if os.path.exists(name) else name.partition(":")
    arguments = {
        "path": os.path.abspath(path) if os.path.exists(path) else path,
        "configuration": configuration or None,
        "split": inputs.dataset_split,
        "revision": inputs.dataset_revision,
    }
    shown = os.path.basename(os.path.normpath(path)) if os.path.exists(path) else name
    loaded = _open(arguments)
    files = sorted(loaded.files)
    local = [file for file in files if os.path.isfile(file)]
    try:
        contents = [content_hash(file) for file in local]
        sizes = [os.path.getsize(file) * _expansion(file) for file in local]
    except OSError as error:
        raise PreprocessingError(f"--dataset {name} cannot be read ({error}); mend that.") from error
    content = xxhash.xxh3_128_hexdigest(json.dumps([contents, loaded.origin]).encode())
    shards = loaded.stream.num_shards
    size = int(sum(sizes)) if len(local) == len(files) and files else loaded.bytes or UNKNOWN_SHARD_BYTES * shards
    return [
        Split(
            SOURCE,
            json.dumps(arguments),
            f"{shown}/{inputs.dataset_split}",
            shard,
            shard + 1,
            content=content,
            bytes=max(1, size // shards),
        )
        for shard in range(shards)
    ]


@dataclass(frozen=True)
class _Loaded:
    """An opened data set: its rows as a stream; its files; its size as text, if it is said; where it came from."""

    stream: datasets.IterableDataset
    files: tuple[str, ...]
    bytes: int
    origin: tuple[Any, ...]
    """Commits on the hub; nothing for local files, whose times say nothing of what they hold."""


def load(arguments: dict[str, Any]) -> datasets.IterableDataset:
    """The data set as a stream. Raises PreprocessingError, one sentence, for whatever keeps it from being opened."""
    return _open(arguments).stream


def _open(arguments: dict[str, Any]) -> _Loaded:
    path, split = arguments["path"], arguments["split"]
    try:
        if os.path.isdir(path) and _was_saved_to_disk(path):
            return _from_disk(path, split)
        builder = _BUILDERS.get(os.path.splitext(path)[1]) if os.path.isfile(path) else None
        if builder:
            # One text file is one document only if it is not cut at lines.
            extra = {"sample_by": "document"} if builder == "text" else {}
            prepared = datasets.load_dataset_builder(builder, data_files={split: path}, **extra)
        else:
            prepared = datasets.load_dataset_builder(path, arguments["configuration"], revision=arguments["revision"])
        return _streamed(prepared, split)
    except (ConnectionError, TimeoutError) as error:
        raise _unreachable(path, error) from error
    except Exception as error:  # the library raises its own, the hub client's and plain ones alike
        if isinstance(error.__cause__, (ConnectionError, TimeoutError)):
            raise _unreachable(path, error) from error
        raise PreprocessingError(
            f"--dataset {path} cannot be opened ({_first_line(error)}); check its name, configuration and split, and "
            "that this machine reaches the Hugging Face hub, or give a local folder."
        ) from error


def _streamed(prepared: datasets.DatasetBuilder, split: str) -> _Loaded:
    files = (prepared.config.data_files or {}).get(split, ())
    told = (prepared.info.splits or {}).get(split)
    origin = [entry for entry in getattr(files, "origin_metadata", ()) if len(entry) > 1]
    return _Loaded(
        prepared.as_streaming_dataset(split=split),
        tuple(map(str, files)),
        int(getattr(told, "num_bytes", 0) or 0),
        tuple(origin),
    )


def _expansion(file: str) -> float:
    return next((times for suffix, times in _EXPANSION.items() if file.endswith(suffix)), 1.0)


def read_dataset(piece: Split, options: ReaderOptions, tally: Tally) -> Iterator[RawDocument]:
    """The rows of one shard; a row without text is rejected under `dropped.malformed`."""
    stream = load(json.loads(piece.path))
    records = options.records
    for shard in range(piece.start, piece.end):
        rows = stream.shard(stream.num_shards, shard) if stream.num_shards > 1 else stream
        for number, row in enumerate(_rows(rows, piece.file)):
            if number == 0 and records.text_field not in row:
                raise PreprocessingError(
                    f"--dataset {piece.file} has no column {records.text_field!r} but "
                    f"{', '.join(map(repr, list(row)[:20]))}; name the one that holds the text by --records.text-field."
                )
            tally.count(DOCUMENTS_IN)
            locator = f"shard={shard};row={number}"
            text, title = row.get(records.text_field), row.get(records.title_field)
            if not isinstance(text, str):
                tally.reject(f"{piece.file} {locator}", f"no text in column {records.text_field!r}")
                continue
            yield RawDocument(locator, title if isinstance(title, str) else "", paragraphs_of_record(text))


def _rows(rows: datasets.IterableDataset, name: str) -> Iterator[dict[str, Any]]:
    try:
        yield from rows
    except Exception as error:
        raise PreprocessingError(
            f"--dataset {name} stopped in the middle ({_first_line(error)}); run the same command again, "
            "what is complete is kept."
        ) from error


def _was_saved_to_disk(folder: str) -> bool:
    return any(os.path.exists(os.path.join(folder, name)) for name in ("state.json", "dataset_dict.json"))


def _from_disk(folder: str, split: str) -> _Loaded:
    loaded = datasets.load_from_disk(folder)
    if isinstance(loaded, datasets.DatasetDict):
        loaded = loaded[split]
    files = tuple(entry["filename"] for entry in loaded.cache_files)
    return _Loaded(loaded.to_iterable_dataset(num_shards=max(1, len(files))), files, loaded.info.dataset_size or 0, ())


def _unreachable(path: str, error: Exception) -> PreprocessingError:
    return PreprocessingError(
        f"--dataset {path}: the Hugging Face hub cannot be reached ({_first_line(error)}); work online, or download "
        "the data set where there is a network and give its folder."
    )


def _first_line(error: Exception) -> str:
    return (str(error).splitlines() or [""])[0].rstrip(".") or type(error).__name__
