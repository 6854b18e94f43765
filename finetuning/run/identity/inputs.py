"""What a run read: its task, and the files of its data, tokenizer and weights, so that a change of them is noticed."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable
from functools import lru_cache
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from finetuning.run.specification import RunSpec
from finetuning.tasks.readers.splits import find_file
from finetuning.tasks.task import Task, read_task

RANDOM = "random:"
"""Begins a model that is a configuration alone."""
WITHOUT_EFFECT = {"title"}
"""Keys of a task that no score depends on."""
_TOKENIZERS = ("tokenizer.json", "vocab.txt")
"""In the order in which a folder's are taken."""
_BLOCK_BYTES = 1 << 20


class InputFile(BaseModel):
    """One file as it was. Size and time tell without reading that it is the same; the hash, when they differ."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    path: str
    """As it was opened."""
    bytes: int
    """Its size."""
    modified_ns: int
    """Time of its last change, in nanoseconds since 1970."""
    sha256: str = ""
    """64 hexadecimal digits; empty for weights, of which `Result.model_fingerprint` is the hash."""

    @classmethod
    def of(cls, path: Path, *, hashed: bool = True) -> InputFile:
        """The file as it is; OSError where it cannot be read."""
        stat = path.stat()
        digest = file_hash(path, stat.st_size, stat.st_mtime_ns) if hashed else ""
        return cls(path=str(path), bytes=stat.st_size, modified_ns=stat.st_mtime_ns, sha256=digest)

    def looks_like(self, path: Path) -> bool:
        """Whether the file at `path` has this size and time; OSError where there is none."""
        stat = path.stat()
        return (stat.st_size, stat.st_mtime_ns) == (self.bytes, self.modified_ns)

    def is_same(self, path: Path) -> bool:
        """Whether the file at `path` holds the same bytes, which are read only where size and time do not tell."""
        if self.looks_like(path):
            return True
        stat = path.stat()
        return stat.st_size == self.bytes and file_hash(path, stat.st_size, stat.st_mtime_ns) == self.sha256


class Inputs(BaseModel):
    """All that a run read. Data of the Hugging Face hub leave no trace here."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    task: dict[str, Any]
    """The task's keys, those at their default left out."""
    data: dict[str, InputFile] = Field(default_factory=dict)
    """The file of each split that was read."""
    tokenizer: InputFile | None = None
    """The tokenizer's file; none where there was none on the disk."""
    configuration: InputFile | None = None
    """The model's `config.json`."""
    weights: tuple[InputFile, ...] = ()
    """The files with the model's weights, sorted by name; none where weights are random."""


def inputs_of(spec: RunSpec) -> Inputs:
    """What a run is about to read, as it is on the disk; files that are missing are left out.

    To be asked before anything is read: a file that is changed meanwhile then counts as changed, not as used. The task
    is that of its file: what options change in it, they say themselves.

    Raises:
        FinetuningError: there is no such task.
    """
    task = read_task(spec.task)[0]
    folder = data_folder(task, spec)
    data = {}
    for name in _splits(task, spec) if folder is not None else ():
        if (path := find_file(task, task.splits[name], folder or Path())) is not None:
            data[name] = InputFile.of(path)
    tokenizer, configuration = tokenizer_file(spec), configuration_file(spec.model)
    return Inputs(
        task=task_content(task),
        data=data,
        tokenizer=None if tokenizer is None else InputFile.of(tokenizer),
        configuration=None if configuration is None else InputFile.of(configuration),
        weights=tuple(
            InputFile.of(file, hashed=False) for file in (() if is_random(spec) else weight_files(spec.model))
        ),
    )


def task_content(task: Task) -> dict[str, Any]:
    """The keys of a task that a score may depend on, as plain data; those at their default are left out."""
    return task.model_dump(mode="json", exclude_defaults=True, exclude=WITHOUT_EFFECT)


def data_folder(task: Task, spec: RunSpec) -> Path | None:
    """Where the run finds its data: those of a user's own task lie beside its file; None: on the hub."""
    return spec.data if spec.data is not None else task.home


def tokenizer_file(spec: RunSpec) -> Path | None:
    """The file that the tokenizer is read from; None where there is none."""
    model = Path(spec.model.removeprefix(RANDOM))
    path = spec.tokenizer or (model if model.is_dir() else model.parent)
    candidates = [path] if path.is_file() else [path / name for name in _TOKENIZERS]
    return next((file for file in candidates if file.is_file()), None)


def configuration_file(model: str) -> Path | None:
    """A model's `config.json`, or the file that `random:CONFIG.json` names; None where there is none."""
    path = Path(model.removeprefix(RANDOM))
    file = path / "config.json" if path.is_dir() else path
    return file if file.is_file() else None


def weight_files(model: str) -> list[Path]:
    """The weight files in a model's folder; none where it is not a folder (`random:CONFIG.json`)."""
    folder = Path(model)
    return sorted([*folder.glob("*.safetensors"), *folder.glob("pytorch_model*.bin")]) if folder.is_dir() else []


def is_random(spec: RunSpec) -> bool:
    """Whether the run starts from random weights."""
    return spec.random_weights or spec.model.startswith(RANDOM)


def _splits(task: Task, spec: RunSpec) -> Iterable[str]:
    names = ("train", *task.dev, *(task.test if spec.predict_test else ()))
    return [name for name in names if name in task.splits]


@lru_cache(maxsize=4096)
def file_hash(path: Path, size: int, modified_ns: int) -> str:
    """sha256 of a file, 64 hexadecimal digits. Size and time are the file's own: one that is changed is read again."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(_BLOCK_BYTES):
            digest.update(block)
    return digest.hexdigest()
