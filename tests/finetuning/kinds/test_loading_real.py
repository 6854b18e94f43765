"""Real sets of data beside the repository are read as they lie there, without a change by hand."""

from pathlib import Path

import pytest

from finetuning.kinds.encoding.truncation import UNKNOWN_SHARE
from finetuning.kinds.loading import kind_of, load_task, read_split
from finetuning.kinds.rows import SpanRow, TokenRow
from finetuning.kinds.scoring import labels_of
from preprocessing.tokens.tokenizer import Tokenizer

SETS = Path(__file__).resolve().parents[3] / "finetuning" / "recipes" / "sets"

# Task, folder of the data, rows of the training and of the dev split.
READ = [
    ("cola", "glue", 8551, 1043),
    ("rte", "glue", 3367, 800),
    ("squad1", "", 1013, 177),
    ("conll2000", "", 8936, 2012),
    (f"{SETS}/conll2002-dutch.toml", "", 15806, 2895),
    (f"{SETS}/movie-reviews.toml", "sentences", 8633, 2029),
    (f"{SETS}/subjectivity.toml", "sentences", 8014, 1986),
    (f"{SETS}/questions.toml", "sentences", 5452, 500),
]


@pytest.mark.parametrize(("task", "folder", "train", "dev"), READ, ids=[Path(name).stem for name, *_ in READ])
def test_it_is_read_whole(
    task: str, folder: str, train: int, dev: int, shared_data: Path, tokenizer: Tokenizer
) -> None:
    loaded = load_task(task)
    splits = {}
    for name, count in (("train", train), ("dev", dev)):
        split = read_split(loaded, name, shared_data / folder)
        assert split is not None
        assert (len(split.rows), split.labelled, split.notes) == (count, True, ())
        splits[name] = split
    labels, notes = labels_of(loaded, splits)
    assert all("never in training" in note for note in notes)
    kind = kind_of(loaded)
    few = splits["dev"].rows[:40]
    encoded = kind.encode(loaded, few, tokenizer, labels, loaded.sequence_length)
    assert encoded.items >= len(few)
    assert encoded.cut.counts.unknown_tokens <= UNKNOWN_SHARE * encoded.cut.counts.tokens


def test_no_paragraph_of_the_dev_part_is_trained_on(shared_data: Path) -> None:
    """The English part of XQuAD, cut by article into files of SQuAD's names."""
    task = load_task("squad1")
    contexts = {}
    for name in ("train", "dev"):
        split = read_split(task, name, shared_data)
        assert split is not None
        contexts[name] = {row.context for row in split.rows if isinstance(row, SpanRow)}
    assert not contexts["train"] & contexts["dev"]


def test_documents_of_the_dutch_set(shared_data: Path) -> None:
    """Every sentence is of a document, as many as there are marks; chunks of CoNLL-2000 are of none."""
    for name, count in (("train", 287), ("dev", 74)):
        split = read_split(load_task(f"{SETS}/conll2002-dutch.toml"), name, shared_data)
        assert split is not None
        documents = [row.document for row in split.rows if isinstance(row, TokenRow)]
        assert None not in documents
        assert len(set(documents)) == count
    split = read_split(load_task("conll2000"), "dev", shared_data)
    assert split is not None
    assert {row.document for row in split.rows if isinstance(row, TokenRow)} == {None}
