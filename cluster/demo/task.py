"""The demo's fine-tuning task, derived from the sample itself: does text B continue text A?

No labelled benchmark can be had where there is no hub, so the pairs come from the held-out documents, which
pretraining never saw: the original words of each held-out example, and whether B followed A there or came from
another document. It resembles the pretraining objective; what it shows is whether the pretrained weights carry over
to unseen documents and a handful of labels, not how the model would do on GLUE.

    python -m cluster.demo.task --shards SHARDS --output FOLDER    writes train.jsonl, dev.jsonl and continues.toml
"""

import json
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from cluster.errors import ClusterError

LABELS = ("continues", "other")
TASK = """\
# Written by cluster/demo/task.py: does text B continue text A, on documents that pretraining never saw?
name = "continues"
title = "Continuation of unseen text"
kind = "classification"
format = "jsonl"
labels = ["continues", "other"]
metric = "accuracy"
sequence_length = 128

[columns]
id = "id"
text_a = "text_a"
text_b = "text_b"
label = "label"

[splits]
train = { file = "train.jsonl" }
dev = { file = "dev.jsonl" }
"""


def rows(shards: Path, length: int) -> Iterator[dict[str, str]]:
    """The held-out examples as text: id, the document of A, text_a, text_b, label."""
    import numpy as np

    from preprocessing.shards import ShardSet
    from preprocessing.tokens.tokenizer import Tokenizer

    shard_set = ShardSet.open(shards)
    tokenizer = Tokenizer.load(shard_set.tokenizer_path).backend
    for file in shard_set.records("heldout", length).files():
        shard = shard_set.read(file)
        ids = np.array(shard.input_ids)
        masks_of_row = np.diff(shard.mask_offsets)
        ids[np.repeat(shard.token_offsets[:-1], masks_of_row) + shard.masked_positions] = shard.masked_labels
        for row in range(shard.rows):
            tokens = ids[shard.token_offsets[row] : shard.token_offsets[row + 1]].tolist()
            b = int(shard.segment_b_start[row])
            yield {
                "id": f"{file.name}:{row}",
                "document": f"{file.name}:{shard.document_a[row]}",
                "text_a": tokenizer.decode(tokens[1 : b - 1]),
                "text_b": tokenizer.decode(tokens[b:-1]),
                "label": LABELS[int(shard.is_random_next[row])],
            }


def write_task(shards: Path, folder: Path, length: int = 128) -> tuple[int, int]:
    """Write the task; the number of training and dev rows. No document has its A in both.

    Raises `ClusterError` when too few documents were held out for two splits.
    """
    from preprocessing.atomic_file import write_text

    by_document: dict[str, list[dict[str, str]]] = {}
    for row in rows(shards, length):
        by_document.setdefault(row.pop("document"), []).append(row)
    total = sum(map(len, by_document.values()))
    train: list[dict[str, str]] = []
    dev: list[dict[str, str]] = []
    # Whole documents go to dev, smallest first, until it has a third of the rows: many documents in dev, so that its
    # score is not that of one text.
    for document in sorted(by_document, key=lambda d: (len(by_document[d]), d)):
        (dev if len(dev) + len(by_document[document]) <= total / 3 else train).extend(by_document[document])
    for name, split in (("train", train), ("dev", dev)):
        if len({row["label"] for row in split}) < len(LABELS):
            raise ClusterError(
                f"{shards} holds out too few documents for a {name} split of both labels ({len(by_document)} "
                "documents); give more text, or a larger --heldout-fraction"
            )
    for name, split in (("train", train), ("dev", dev)):
        lines = "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in split)
        write_text(folder / f"{name}.jsonl", lines)
    write_text(folder / "continues.toml", TASK)
    return len(train), len(dev)


def main(argv: Sequence[str] | None = None) -> int:
    """Command line; returns the exit code."""
    from preprocessing.arguments import OptionParser
    from preprocessing.errors import PreprocessingError

    parser = OptionParser("python -m cluster.demo.task", __doc__.split("\n")[0], ClusterError)
    parser.add_argument("--shards", type=Path, required=True, help="folder of a build with held-out examples")
    parser.add_argument("--output", type=Path, required=True, help="folder for train.jsonl, dev.jsonl, continues.toml")
    try:
        arguments = parser.parse_args(argv)
        train, dev = write_task(arguments.shards, arguments.output)
    except (ClusterError, PreprocessingError) as error:
        print(f"demo_task: {error}", file=sys.stderr)
        return error.exit_code
    print(f"{train} training pairs, {dev} dev pairs from held-out documents")
    return 0


if __name__ == "__main__":
    sys.exit(main())
