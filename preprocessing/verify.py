"""Checks a folder of shards against its manifest: every file is hashed again.

    python -m preprocessing.verify shards/

The last line of standard output is one sha256 over the names and hashes of all shards and document tables: two builds
with the same line hold the same bytes. Exit code 2, with a line for each problem on standard error, when a file is
missing, corrupt or not part of the build.
"""

import hashlib
import json
import os
import sys
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass
from itertools import chain, islice, repeat
from pathlib import Path
from typing import Literal

from preprocessing.arguments import OptionParser, add_storage_options
from preprocessing.errors import PreprocessingError
from preprocessing.progress import BYTES, SILENT, Progress, add_quiet, progress_of
from preprocessing.shards import (
    MANIFEST_NAME,
    TABLES_FOLDER,
    FileRecord,
    Manifest,
    read_shard,
    read_table,
)
from preprocessing.shards.content_check import check_content
from preprocessing.storage import Location, RemotePath, location
from preprocessing.tokens.tokenizer import Tokenizer

TOKENIZER_FOLDER = "tokenizer"
DATA_FOLDERS = ("train", "heldout", "documents", TOKENIZER_FOLDER, TABLES_FOLDER)
_AT_A_TIME = 1024


@dataclass(frozen=True, slots=True, order=True)
class Problem:
    """A file that is not as the manifest says; `name` is relative to the shard folder."""

    kind: Literal["missing", "corrupt", "extra"]
    name: str
    detail: str

    def __str__(self) -> str:
        return f"{self.kind}: {self.name}: {self.detail}"


def verify(folder: Location, progress: Progress = SILENT) -> tuple[Manifest, list[Problem]]:
    """The manifest of `folder` and everything that is wrong with its files, sorted; an empty list means intact.

    Raises PreprocessingError when there is no readable manifest.
    """
    manifest = Manifest.read(folder)
    documents = {file.name: file.rows for file in manifest.documents.files()}
    lengths = manifest.shards.column("length").tolist()
    tables = [table.file for table in manifest.tables.values()]
    others = chain(manifest.documents.files(), tables)
    files = chain(zip(manifest.shards.files(), lengths, strict=True), zip(others, repeat(None)))
    problems: list[Problem] = []
    size = _size(manifest) + sum(table.bytes for table in tables)

    # Hashing releases the interpreter's lock, so threads share the cores; the pool holds what it is given.
    with progress.count("verify", size, BYTES) as count, ThreadPoolExecutor(os.cpu_count()) as pool:

        def check(file: tuple[FileRecord, int | None]) -> Problem | None:
            problem = _check(folder, *file, manifest.vocabulary_size, documents)
            count.advance(file[0].bytes)
            return problem

        while some := list(islice(files, _AT_A_TIME)):
            problems += [problem for problem in pool.map(check, some) if problem is not None]
    problems += _check_tokenizer(folder, manifest)
    known = {*(file.name for file in manifest.shards.files()), *documents}
    known |= {table.name for table in manifest.tables.values()}
    problems += [
        Problem("extra", name, "not in the manifest; remove it")
        for name in _files(folder)
        if name not in known and not name.startswith(f"{TOKENIZER_FOLDER}/")
    ]
    return manifest, sorted(problems)


def _size(manifest: Manifest) -> int:
    """Bytes of all shards and document tables."""
    return int(manifest.shards.bytes.sum()) + int(manifest.documents.bytes.sum())


def _check(
    folder: Location, record: FileRecord, length: int | None, vocabulary_size: int, documents: Mapping[str, int]
) -> Problem | None:
    path = folder / record.name
    try:
        with path.open("rb") as file:
            size = file.seek(0, os.SEEK_END)
            if size != record.bytes:
                return Problem("corrupt", record.name, f"{size} bytes, the manifest says {record.bytes}")
            file.seek(0)
            sha256 = hashlib.file_digest(file, "sha256").hexdigest()
    except FileNotFoundError:
        return Problem("missing", record.name, "run the build again with the same command")
    except OSError as error:
        return Problem("corrupt", record.name, f"cannot be read: {error.strerror}")
    if sha256 != record.sha256:
        return Problem("corrupt", record.name, f"sha256 {sha256}, the manifest says {record.sha256}")
    try:  # the bytes are as the manifest says; this catches one that does not tell what they hold
        rows = _rows(folder, record, length, vocabulary_size, documents)
    except PreprocessingError as error:
        return Problem("corrupt", record.name, str(error))
    if rows != record.rows:
        return Problem("corrupt", record.name, f"{rows} rows, the manifest says {record.rows}")
    return None


def _rows(
    folder: Location, record: FileRecord, length: int | None, vocabulary_size: int, documents: Mapping[str, int]
) -> int:
    """`length` is that of a shard's examples, None for any other table."""
    if length is None:
        return int(read_table(folder / record.name).num_rows)
    shard = read_shard(folder / record.name, record)
    table = f"documents/{Path(record.name).name}"
    check_content(shard, length, vocabulary_size, documents.get(table, 0))
    return shard.rows


def _check_tokenizer(folder: Location, manifest: Manifest) -> list[Problem]:
    path = folder / TOKENIZER_FOLDER
    if not path.is_dir():
        return [Problem("missing", TOKENIZER_FOLDER, "run the build again with the same command")]
    try:
        fingerprint = Tokenizer.load(path).fingerprint
    except PreprocessingError as error:
        return [Problem("corrupt", TOKENIZER_FOLDER, str(error))]
    if fingerprint != manifest.tokenizer_fingerprint:
        return [Problem("corrupt", TOKENIZER_FOLDER, "not the tokenizer that the shards were built with")]
    return []


def _files(folder: Location) -> Iterator[str]:
    for name in DATA_FOLDERS:
        place = folder / name
        if isinstance(place, RemotePath):
            found = list(place.sizes())
        else:
            found = [path.relative_to(place).as_posix() for path in place.rglob("*") if path.is_file()]
        yield from (f"{name}/{file}" for file in sorted(found))


def main(argv: Sequence[str] | None = None) -> int:
    """Command line; returns the exit code."""
    parser = OptionParser("python -m preprocessing.verify", __doc__.split("\n")[0], remote=True)
    parser.add_argument("folder", type=location, help="folder of a build: what its --output named")
    add_storage_options(parser)
    add_quiet(parser)
    text = "print a JSON object, whatever was found: intact, shards, examples, bytes, fingerprint, problems"
    parser.add_argument("--json", action="store_true", help=text)
    try:
        arguments = parser.parse_args(argv)
        manifest, problems = verify(arguments.folder, progress_of(arguments))
    except PreprocessingError as error:
        print(f"preprocessing.verify: {error}", file=sys.stderr)
        return error.exit_code
    figures = {"shards": len(manifest.shards), "examples": int(manifest.shards.rows.sum()), "bytes": _size(manifest)}
    if arguments.json:
        found = {"intact": not problems, **figures, "fingerprint": manifest.fingerprint}
        print(json.dumps(found | {"problems": [asdict(problem) for problem in problems]}, ensure_ascii=False))
    for problem in problems:
        print(problem, file=sys.stderr)
    if problems:
        print(f"preprocessing.verify: {arguments.folder} has {len(problems)} problems, see above", file=sys.stderr)
        return PreprocessingError.exit_code
    if not arguments.json:
        said = ", ".join(f"{number} {what}" for what, number in figures.items())
        print(f"{said}: intact ({MANIFEST_NAME} agrees)")
        print(manifest.fingerprint)
    return 0


if __name__ == "__main__":
    sys.exit(main())
