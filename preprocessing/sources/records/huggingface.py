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
import pyarrow as pa
import xxhash

from preprocessing.errors import PreprocessingError, TransientError
from preprocessing.sources.decompression import EXPANSION, PARQUET_EXPANSION
from preprocessing.sources.identity import content_hash
from preprocessing.sources.options import InputOptions, ReaderOptions, RecordOptions
from preprocessing.sources.raw_document import RawDocument
from preprocessing.sources.records.record_text import RecordError, TextReader
from preprocessing.sources.records.text_columns import holds_text, values_of
from preprocessing.sources.split import Split
from preprocessing.storage import is_address
from preprocessing.tally import DOCUMENTS_IN, Tally

SOURCE = "huggingface"
_ROWS_AT_A_TIME = 256
_SHOWN = 160  # characters of a message of the library
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
    """The rows of one shard; a row without text, or whose text is not UTF-8, is rejected under `dropped.malformed`.

    Raises PreprocessingError without a column of text, and where the library cannot go on: then in words that say what
    can, since the same again would stop at the same row.
    """
    stream = load(json.loads(piece.path))
    reader = TextReader(options, tally)
    for shard in range(piece.start, piece.end):
        rows = stream.shard(stream.num_shards, shard) if stream.num_shards > 1 else stream
        number = 0
        for table in _tables(rows, piece, shard):
            for text, title in _texts_and_titles(table, piece.file, options.records):
                tally.count(DOCUMENTS_IN)
                locator = f"shard={shard};row={number}"
                number += 1
                try:
                    document = reader.document(locator, text, title)
                except RecordError as error:
                    tally.reject(f"{piece.file} {locator}", str(error))
                    continue
                yield document


def _texts_and_titles(table: pa.Table, name: str, records: RecordOptions) -> Iterator[tuple[object, object]]:
    if records.text_field not in table.column_names:
        raise PreprocessingError(
            f"--dataset {name} has no column {records.text_field!r} but "
            f"{', '.join(map(repr, table.column_names[:20]))}; name the one that holds the text by "
            "--records.text-field."
        )
    kind = table.schema.field(records.text_field).type
    if not (holds_text(kind) or pa.types.is_null(kind)):
        raise PreprocessingError(
            f"--dataset {name}: column {records.text_field!r} holds {kind}, not text; name another by "
            "--records.text-field."
        )
    texts = _values(table, records.text_field)
    titles = _values(table, records.title_field) if records.title_field in table.column_names else [None] * len(texts)
    return zip(texts, titles, strict=True)


def _values(table: pa.Table, name: str) -> list[object]:
    column = table.column(name)
    if not holds_text(column.type):
        return [None] * len(column)
    values = [value for chunk in column.chunks for value in values_of(chunk)]
    is_mixed = getattr(column.type, "extension_name", "") == "arrow.json"  # of several types: each value is JSON
    return [_of_json(value) for value in values] if is_mixed else values


def _of_json(value: object) -> object:
    try:
        return json.loads(value) if isinstance(value, str | bytes) else None
    except (ValueError, RecursionError):
        return None


def _tables(rows: datasets.IterableDataset, piece: Split, shard: int) -> Iterator[pa.Table]:
    """The rows as they are stored: the library would decode many at once, and fail by one that is no UTF-8."""
    read = 0
    failure: Exception | None = None
    # Of the rows that make no whole batch before a failure the library says nothing: they are asked for one by one.
    for rows_at_a_time in (_ROWS_AT_A_TIME, 1):
        try:
            for table in rows.with_format("arrow").skip(read).iter(rows_at_a_time):
                yield table
                read += table.num_rows
            return
        except PreprocessingError:
            raise
        except Exception as error:  # the library's own, pyarrow's, the hub client's and plain ones alike
            failure = error
            if _is_transient(error):
                raise TransientError(
                    f"--dataset {piece.file}, shard {shard}, stopped behind row {read} ({_in_one_line(error)}); run "
                    "the same command again."
                ) from error
    if failure is not None:
        raise PreprocessingError(
            f"--dataset {piece.file}, shard {shard}, behind row {read}: the library `datasets` cannot read on "
            f"({_in_one_line(failure)}); {_another_way(piece)}mend it, or pass --skip-bad-files, which keeps the rows "
            "before it."
        ) from failure


def _another_way(piece: Split) -> str:
    """Readers of our own count a bad row and go on, where they know the format."""
    path = json.loads(piece.path)["path"]
    if os.path.isfile(path):
        option = {"json": "--jsonlines", "parquet": "--parquet"}.get(_BUILDERS.get(os.path.splitext(path)[1], ""))
        return f"read it by {option}, which counts a bad row and goes on, " if option else ""
    return "give its files by --jsonlines or --parquet, which count a bad row and go on, "


def _is_transient(error: BaseException | None) -> bool:
    while error is not None:
        if isinstance(error, ConnectionError | TimeoutError):
            return True
        error = error.__cause__
    return False


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


def _in_one_line(error: Exception) -> str:
    """The message, as the library spreads it over lines."""
    text = " ".join(str(error).split()).rstrip(".") or type(error).__name__
    return text if len(text) <= _SHOWN else f"{text[:_SHOWN]}…"
