"""A random sample of a task's rows, in files of the same layout.

Some sets are sorted by class or by source, so their first rows would be no sample; the same rows for both sides and
every seed, so that scores differ by training alone.
"""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np

from finetuning.atomic_file import write_text
from finetuning.errors import FinetuningError
from finetuning.kinds.loading import load_task, read_split
from finetuning.kinds.rows import SplitRows
from finetuning.tasks.readers.splits import find_file
from finetuning.tasks.task import Task

_SEED = 2018


def write_sample(task_name: str, data: Path, folder: Path, rows: dict[str, int]) -> str:
    """Write samples of a task's splits to `folder`, under the names of their files; returns sha256 of the contents.

    Args:
        task_name: as `RunSpec.task`.
        data: folder with the task's files.
        folder: made where it is missing.
        rows: the most rows of each split; rows stay in the file's order.

    Raises:
        FinetuningError: the file of a split is not there, or its format is none that can be sampled.
    """
    task = load_task(task_name)
    digest = hashlib.sha256()
    for name, most in rows.items():
        split = task.splits[name]
        path = find_file(task, split, data)
        if path is None:
            raise FinetuningError(
                f"{data}: no {split.file} there, the {name} split of {task.name}; set --data to the folder that has it"
            )
        text = path.read_text(encoding="utf-8")
        if task.format == "tsv":
            has_header = task.header if split.header is None else split.header
            sampled = _lines(text, most, header=has_header)
        elif task.format == "conll":
            sampled = _sentences(text, most)
        elif task.format == "squad":
            sampled = _questions(text, most)
        else:
            raise FinetuningError(f"{task.name}: no sample of {task.format} files can be made; compare another task")
        write_text(folder / split.file, sampled)
        digest.update(sampled.encode())
    return digest.hexdigest()


def read_both(task: Task, folder: Path) -> tuple[SplitRows, SplitRows]:
    """The training split and the main dev split in `folder`.

    Raises:
        FinetuningError: one of them is not there, or wrong.
    """
    train, dev = (read_split(task, name, folder) for name in ("train", task.dev[0]))
    if train is None or dev is None:
        raise FinetuningError(f"{folder}: a split of {task.name} is not there; training and scoring need both")
    return train, dev


def _chosen(count: int, most: int) -> list[int]:
    """Ascending indices of a random sample of `most` out of `count`; all where there are no more."""
    if count <= most:
        return list(range(count))
    return np.sort(np.random.Generator(np.random.Philox(key=_SEED)).permutation(count)[:most]).tolist()


def _lines(text: str, most: int, *, header: bool) -> str:
    # Not splitlines(): GLUE's texts hold characters that Python takes for ends of lines.
    lines = [line for line in text.split("\n") if line]
    first = [lines.pop(0)] if header and lines else []
    return "\n".join([*first, *(lines[index] for index in _chosen(len(lines), most)), ""])


def _sentences(text: str, most: int) -> str:
    sentences: list[list[str]] = [[]]
    for line in text.split("\n"):
        if not line.strip() or line.startswith("-DOCSTART-"):
            sentences.append([])
        else:
            sentences[-1].append(line)
    sentences = [sentence for sentence in sentences if sentence]
    return "".join("\n".join(sentences[index]) + "\n\n" for index in _chosen(len(sentences), most))


def _questions(text: str, most: int) -> str:
    content: dict[str, Any] = json.loads(text)
    paragraphs = [paragraph for article in content["data"] for paragraph in article["paragraphs"]]
    chosen = set(_chosen(sum(len(paragraph["qas"]) for paragraph in paragraphs), most))
    number = 0
    kept = []
    for paragraph in paragraphs:
        asked = [qa for index, qa in enumerate(paragraph["qas"], number) if index in chosen]
        number += len(paragraph["qas"])
        if asked:
            kept.append({**paragraph, "qas": asked})
    return json.dumps({**content, "data": [{"title": "", "paragraphs": kept}]}, ensure_ascii=False)
