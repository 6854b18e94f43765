"""Every reader on thousands of damaged files: rows, each with one answer, or one sentence; never anything else.

Good files are cut, flipped and spliced with what breaks parsers. What is still read goes on to token ids and answers,
so that nothing a reader lets through can break what comes behind it.
"""

import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from finetuning.errors import FinetuningError
from finetuning.kinds.answers.predictions import write_predictions
from finetuning.kinds.loading import kind_of, load_task, parse_task, read_new, read_split
from finetuning.kinds.rows import Row, SplitRows
from finetuning.kinds.scoring import decode, labels_of
from finetuning.tasks.task import Task
from preprocessing.tokens.tokenizer import Tokenizer

INPUTS = 2000
SPLICES = (
    *(b'"', b'""', b",", b"\t", b"\n", b"\r\n", b"\r", b"\n\n", b"\0", b"\xff\xfe", b"\xef\xbb\xbf", b" ", b"\xc3"),
    *(b"\\ud800", b"\\u0000", b"null", b"NaN", b"1e999", b"-1", b"{", b"}", b"[", b"]", b"[[[[", b'":', b"0", b"yes"),
    *(b"-DOCSTART- ", b"I-", b"B-PER", b"O", b"\xe2\x80\xa8", b"\xc2\xa0", b"\xe2\x80\x8d", b"9" * 30, b"a", b"he "),
    *(b'"answers"', b'"id"', b'"text"', b"label", b"sent1", b"x" * 250, b"#", b";", b"2", b"", b"", b""),
)
MOVES = st.lists(
    st.tuples(
        st.integers(0, 600),
        st.sampled_from([0, 0, 0, 0, 1, 1, 2, 7, 40, 600]),
        st.one_of(st.sampled_from(SPLICES), st.text(max_size=3).map(str.encode)),
    ),
    min_size=1,
    max_size=3,
)
"""Each: from which byte how many are replaced, and by what."""

OWN: dict[str, Any] = {"name": "own", "kind": "classification", "labels": ["no", "yes"], "metric": "accuracy"}
OWN["columns"] = {"text_a": "first", "text_b": "second", "label": "answer", "id": "id"}


def own(file: str, **changes: Any) -> Task:
    return parse_task({**OWN, "splits": {"train": file, "dev": file}, **changes}, "own.toml")


SQUAD = {
    "data": [
        {
            "paragraphs": [
                {
                    "context": "the cat sat on the mat near the house. " * 2,
                    "qas": [
                        {"id": "a", "question": "who sat?", "answers": [{"text": "the cat", "answer_start": 0}]},
                        {"id": "b", "question": "who ran?", "answers": [], "is_impossible": True},
                    ],
                }
            ]
        }
    ]
}
TABLE = (
    'id{0}first{0}second{0}answer\n1{0}the cat{0}he ran{0}yes\n2{0}"the{0} ""dog"""{0}"it\nsat"{0}no\n3{0}a{0}b{0}no\n'
)
JSONL = "".join(
    json.dumps({"id": n, "first": "the cat \U0001f600", "second": "he", "answer": answer}) + "\n"
    for n, answer in enumerate(("yes", "no", "no"))
)
SWAG = (
    "video-id,sent1,sent2,ending0,ending1,ending2,ending3,label\n"
    'v,he ran.,she,"ran, then ""left"".",sat,was,is,2\nw,it sat.,he,ran,"sat\nthere",was,is,0\n'
)
WORDS = "-DOCSTART- -X- -X- O\n\nhe PRP B-NP O\nran VBD B-VP O\nParis NNP B-NP I-LOC\n\nAnn NNP I-NP B-PER\n"
CASES: dict[str, tuple[Task, str]] = {
    "csv": (own("train.csv"), TABLE.format(",")),
    "tsv": (own("train.tsv"), TABLE.format("\t").replace('"the\t ', '"the ').replace("it\nsat", "it sat")),
    "quoted tsv": (own("train.tsv", quoted=True, malformed="skip"), TABLE.format("\t")),
    "jsonl": (own("train.jsonl"), JSONL),
    "conll": (load_task("conll2003"), WORDS),
    "squad": (load_task("squad2"), json.dumps(SQUAD)),
    "swag": (load_task("swag"), SWAG),
}


def damaged(content: str, moves: Sequence[tuple[int, int, bytes]]) -> bytes:
    data = content.encode()
    for place, length, put in moves:
        place = place * 7919 % (len(data) + 1)  # small numbers are tried most, and should not all be in the first line
        data = data[:place] + put + data[place + length :]
    return data


def answer_all(task: Task, split: SplitRows, labels: Sequence[str], tokenizer: Tokenizer, folder: Path) -> None:
    """Token ids, an answer to each row in order, and a file of them that can be read again."""
    kind, rows = kind_of(task), split.rows
    encoded = kind.encode(task, rows, tokenizer, labels, 80)
    assert np.diff(encoded.offsets_s).max(initial=0) <= 80
    assert len(encoded.cut.lost_r) == len(rows)
    width = {"regression": (), "choice": (task.choices,)}.get(task.kind, (kind.outputs(len(labels)),))
    logits = np.zeros((int(kind.logits_of_items(encoded).sum()), *width), np.float32)
    answers = decode(task, labels, rows, encoded, logits)
    written = write_predictions(folder / "answers.jsonl", answers).read_text(encoding="utf-8")
    assert [json.loads(line)["id"] for line in written.split("\n")[:-1]] == [row.id for row in rows]


@pytest.mark.timeout(300)
@pytest.mark.parametrize("name", CASES)
def test_a_damaged_file_gives_rows_or_one_sentence(name: str, tokenizer: Tokenizer, tmp_path: Path) -> None:
    task, content = CASES[name]
    outcomes = {"rows": 0, "sentence": 0}

    @settings(derandomize=True, max_examples=INPUTS, deadline=None, database=None)
    @given(MOVES)
    def read(moves: Sequence[tuple[int, int, bytes]]) -> None:
        (tmp_path / task.splits["train"].file).write_bytes(damaged(content, moves))
        try:
            split = read_split(task, "train", tmp_path)
            assert split is not None
            labels, _ = labels_of(task, {"train": split, **dict.fromkeys(task.dev, split)})
        except FinetuningError as error:
            outcomes["sentence"] += len(str(error).splitlines()) == 1
            return
        outcomes["rows"] += 1
        answer_all(task, split, labels, tokenizer, tmp_path)

    read()
    assert sum(outcomes.values()) >= INPUTS
    assert min(outcomes.values()) > INPUTS // 50, "both must be seen often, or little is tried"


NEW = {
    "new.txt": (own("train.csv"), "the cat\the ran\nit\tsat\n\t\nhe\u2028 is\ta\n"),
    "new.csv": (own("train.csv"), TABLE.format(",")),
    "new.conll": (load_task("conll2003"), WORDS),
    "new.json": (load_task("squad2"), json.dumps(SQUAD)),
}


@pytest.mark.timeout(300)
@pytest.mark.parametrize("name", NEW)
def test_damaged_new_text_is_answered_or_refused(name: str, tokenizer: Tokenizer, tmp_path: Path) -> None:
    task, content = NEW[name]

    @settings(derandomize=True, max_examples=INPUTS, deadline=None, database=None)
    @given(MOVES)
    def read(moves: Sequence[tuple[int, int, bytes]]) -> None:
        (tmp_path / name).write_bytes(damaged(content, moves))
        try:
            split = read_new(task, tmp_path / name)
        except FinetuningError:
            return
        answer_all(task, split, task.labels, tokenizer, tmp_path)

    read()


VALUES = st.recursive(
    st.one_of(
        st.none(), st.booleans(), st.integers(-3, 3), st.floats(), st.just(10**400),
        st.sampled_from(["yes", "no", "the cat sat", "cat", "", " ", "0", "1_0", "\ud800", "B-PER", "O", "a,b"]),
    ),
    lambda inner: st.one_of(
        st.lists(inner, max_size=4),
        st.fixed_dictionaries({"text": inner, "answer_start": inner}),
        st.lists(st.fixed_dictionaries({"text": st.just("cat"), "answer_start": inner}), max_size=2),
    ),
    max_leaves=6,
)  # fmt: skip
ROLES = {
    "classification": ("text_a", "text_b", "label", "id"),
    "regression": ("text_a", "label"),
    "multi_label": ("text_a", "labels"),
    "choice": ("text_a", "endings", "label"),
    "token": ("words", "tags"),
    "span": ("id", "question", "context", "answers"),
}
GOOD = {
    "text_a": "the cat",
    "text_b": "he",
    "label": "yes",
    "id": "i",
    "labels": ["no"],
    "endings": ["a", "b", "c", "d"],
}
GOOD |= {"words": ["he"], "tags": ["O"], "question": "who?", "context": "the cat sat", "answers": []}
METRICS = {"regression": "pearson", "multi_label": "micro_f1", "token": "entity_f1", "span": "f1"}


@pytest.mark.timeout(300)
@pytest.mark.parametrize("kind", ROLES)
def test_any_value_in_a_column_is_a_row_or_one_sentence(kind: str, tokenizer: Tokenizer, tmp_path: Path) -> None:
    roles = ROLES[kind]
    labels = [] if kind in ("regression", "choice", "token", "span") else ["no", "yes"]
    task = own(
        "train.jsonl", kind=kind, labels=labels, metric=METRICS.get(kind, "accuracy"), columns={r: r for r in roles},
        unanswerable=True, max_query_length=8,
    )  # fmt: skip

    @settings(derandomize=True, max_examples=INPUTS // 4, deadline=None, database=None)
    @given(st.lists(st.tuples(st.sampled_from(roles), VALUES), max_size=2), st.booleans())
    def read(changes: Sequence[tuple[str, Any]], twice: bool) -> None:
        good = {role: 1.5 if kind == "regression" else 2 if kind == "choice" else GOOD[role] for role in ("label",)}
        record = {role: good.get(role, GOOD.get(role)) for role in roles} | dict(changes)
        (tmp_path / "train.jsonl").write_text(json.dumps(record) + "\n" + json.dumps(record) * twice)
        try:
            split = read_split(task, "train", tmp_path)
            assert split is not None
            names, _ = labels_of(task, {"train": split, "dev": split})
        except FinetuningError:
            return
        answer_all(task, split, names, tokenizer, tmp_path)

    read()


def test_the_good_files_are_read(tokenizer: Tokenizer, tmp_path: Path) -> None:
    counts = {}
    for name, (task, content) in CASES.items():
        (tmp_path / task.splits["train"].file).write_text(content)
        split = read_split(task, "train", tmp_path)
        rows: tuple[Row, ...] = () if split is None else split.rows
        counts[name] = len(rows)
    assert counts == {"csv": 3, "tsv": 3, "quoted tsv": 3, "jsonl": 3, "conll": 2, "squad": 2, "swag": 2}
