"""Tags of words: rows of every layout, the classes, answers of words without pieces, and scores."""

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import torch

from finetuning.errors import FinetuningError
from finetuning.kinds.answers.predictions import Prediction
from finetuning.kinds.loading import parse_task
from finetuning.kinds.rows import TokenRow
from finetuning.kinds.words import KIND
from finetuning.tasks.records import Record
from finetuning.tasks.task import Task
from preprocessing.tokens.tokenizer import Tokenizer

COLUMNS = {"words": "tokens", "tags": "ner"}


def own(**keys: Any) -> Task:
    table = {"name": "own", "kind": "token", "format": "jsonl", "metric": "entity_f1", "splits": {"dev": "d.jsonl"}}
    return parse_task(table | keys, "own.toml")


def row_of(task: Task | None = None, labelled: bool = True, columns: Any = COLUMNS, **values: Any) -> TokenRow:
    return KIND.row(task or own(), Record("f, line 3", values, columns, 7), labelled)


def row(words: str, tags: str | None = None, place: str = "f", document: str | None = None) -> TokenRow:
    return TokenRow("0", place, tuple(words.split()), None if tags is None else tuple(tags.split()), document)


def answer(label: str, given: str) -> Prediction:
    return Prediction("0", label.split(), given.split(), None)


def test_what_it_is_to_files_and_to_transformers() -> None:
    assert (KIND.name, KIND.class_role, KIND.architecture) == ("token", "tags", "BertForTokenClassification")
    assert (KIND.uses_pooler, KIND.has_words) == (False, True)
    assert KIND.metrics == ("entity_f1", "entity_precision", "entity_recall", "accuracy")
    assert KIND.formats == ("jsonl", "parquet", "conll", "csv", "tsv")
    assert (KIND.required, KIND.optional) == (set(), {"id", "words", "tags", "document"})
    assert (KIND.new_roles, KIND.further_roles) == (("words",), ("document", "id"))
    assert (KIND.line_roles(own()), KIND.outputs(9)) == (("words",), 9)
    assert KIND.huggingface_settings(("O", "B-X")) == {
        "id2label": {"0": "O", "1": "B-X"},
        "label2id": {"O": 0, "B-X": 1},
    }


def test_words_and_tags_are_lists_or_texts_of_a_table() -> None:
    expected = TokenRow("7", "f, line 3", ("he", "ran"), ("O", "B-X"), None)
    assert row_of(tokens=["he", "ran"], ner=["O", "B-X"]) == expected
    table = own(format="csv", columns=COLUMNS, splits={"dev": "d.csv"})
    assert row_of(table, tokens="he  ran", ner="O B-X ") == expected
    assert row_of(labelled=False, tokens=["he"]).tags is None
    for values, says in (
        ({"tokens": ["he", "ran"], "ner": ["O"]}, "2 words but 1 tags; write one tag for each word"),
        ({"tokens": "he ran", "ner": ["O", "O"]}, "words is 'he ran', not a list of texts; write one"),
        ({"tokens": ["he"], "ner": [1]}, "tags is [1], not a list of texts; write one"),
    ):
        with pytest.raises(FinetuningError) as raised:
            row_of(**values)
        assert str(raised.value) == f"f, line 3: {says}"


@pytest.mark.parametrize(("value", "document"), [("d", "d"), (3, "3"), (0, "0"), ("", None), (None, None)])
def test_a_document_is_a_name_or_a_number(value: Any, document: str | None) -> None:
    columns = COLUMNS | {"document": "doc"}
    assert row_of(columns=columns, tokens=["he"], ner=["O"], doc=value).document == document


@pytest.mark.parametrize("value", [True, 1.5, ["d"]])
def test_what_names_no_document(value: Any) -> None:
    with pytest.raises(FinetuningError, match=r"^f, line 3: document is .*, neither a text nor a number; write one$"):
        row_of(columns=COLUMNS | {"document": "doc"}, tokens=["he"], ner=["O"], doc=value)


def test_classes_are_those_of_training_or_of_the_task() -> None:
    train = [row("a b c", "B-Y O B-X"), row("d"), row("e", "A")]
    assert list(KIND.classes_in(train[0])) == ["B-Y", "O", "B-X"]
    assert list(KIND.classes_in(train[1])) == []
    assert KIND.classes(own(), {"train": train, "dev": [row("a", "B-Z")]}) == ("O", "A", "B-X", "B-Y")
    named = own(labels=["B-Y", "O", "A", "B-X"])
    assert KIND.classes(named, {"train": train, "test": [row("a")]}) == ("B-Y", "O", "A", "B-X")
    wrong = row("a b c", "O B-Z B-A", place="g, line 2")
    with pytest.raises(FinetuningError, match=r"^g, line 2: tag 'B-A' is unknown; own knows B-Y, O, A, B-X$"):
        KIND.classes(named, {"train": train, "dev": [row("a", "O"), wrong]})
    with pytest.raises(FinetuningError, match=r"^g: no word of the train split has a tag; correct the file$"):
        KIND.classes(own(), {"train": [row("", "", place="g"), row("a")], "dev": train})


def test_documents_are_marked_where_they_are_read() -> None:
    unmarked, marked = [row("a", place="g"), row("b")], [row("a"), row("b", document="d")]
    KIND.check_rows(own(), unmarked)
    KIND.check_rows(own(context="document"), marked)
    with pytest.raises(FinetuningError, match=r"^g: where documents begin is not marked"):
        KIND.check_rows(own(context="document"), unmarked)


@pytest.mark.parametrize(
    ("metric", "labels", "odd"),
    [
        ("entity_f1", "O B-X I-X E-X S-X", None),
        ("entity_recall", "O B-X PER LOC", "PER"),
        ("entity_f1", "B_X", "B_X"),
        ("entity_f1", "o", "o"),
        ("accuracy", "NN VB", None),
    ],
)
def test_tags_that_make_no_entities_are_remarked(metric: str, labels: str, odd: str | None) -> None:
    found = KIND.remarks(own(metric=metric), labels.split())
    said = f'tag {odd!r} is not IOB2, so {metric} counts runs of equal tags; set metric = "accuracy"'
    assert found == (() if odd is None else (said,))


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_the_loss_is_the_sum_over_words_with_a_tag(dtype: torch.dtype) -> None:
    logits = torch.tensor([[1.0, -0.5], [0.25, 2.0], [3.0, 3.0]]).to(dtype)
    loss = KIND.loss_sum(logits, SimpleNamespace(labels=torch.tensor([1, -100, 0])))
    expected = np.log(np.exp([1.0, -0.5]).sum()) + 0.5 + np.log(2.0)
    assert (loss.item(), loss.dtype) == (pytest.approx(expected), torch.float32)


def test_labels_and_answers_belong_to_words(tokenizer: Tokenizer) -> None:
    """One word has no pieces, and one row no tags."""
    rows = [row("he ran", "O B-X"), row("the \u200b cat", "O B-X O"), row("she sat")]
    split = KIND.encode(own(), rows, tokenizer, ("O", "B-X"), 32)
    assert KIND.logits_of_items(split).tolist() == [2, 2, 2]
    assert [KIND.label_count(split, np.array(items)) for items in ([0], [1, 0], [2], [2, 1])] == [2, 4, 0, 2]
    third = np.log(np.array([[3, 1], [1, 2], [1, 3], [2, 1], [1, 1], [1, 2]], np.float32))
    answers = KIND.decode(own(), ("O", "B-X"), rows, split, third)
    assert answers == [
        Prediction("0", ["O", "B-X"], ["O", "B-X"], [0.75, 0.6667]),
        Prediction("0", ["O", "B-X", "O"], ["B-X", "O", "O"], [0.75, 0.0, 0.6667]),
        Prediction("0", None, ["O", "B-X"], [0.5, 0.6667]),
    ]
    without = KIND.decode(own(), ("B-Y", "B-X"), rows, split, third)
    assert without[1].prediction == ["B-X", "B-Y", "B-Y"]  # the first class, where there is no O


def test_scores_by_hand() -> None:
    """Of two entities one is found, and one more is said."""
    answers = [answer("B-X I-X O", "B-X I-X O"), answer("B-Y O", "O B-Y")]
    task = own(metric="entity_recall", metrics=["accuracy", "entity_f1", "entity_precision", "accuracy"])
    scores = KIND.score(task, [], answers)
    assert list(scores) == ["entity_recall", "accuracy", "entity_f1", "entity_precision"]
    assert list(scores.values()) == pytest.approx([0.5, 0.6, 0.5, 0.5])
    for metric in scores:
        weighted = KIND.weighted_score(task.model_copy(update={"metric": metric}), answers)
        assert weighted(np.ones((1, 2)))[0] == pytest.approx(scores[metric])


def test_one_tag_for_every_word_is_the_constant_answer() -> None:
    train, dev = [row("a b c", "B-X B-X O"), row("d")], [row("a b", "O O"), row("c", "B-X"), row("d")]
    found = KIND.constant(own(), train, dev)
    assert [(p.label, p.prediction, p.scores) for p in found] == [
        (["O", "O"], ["B-X", "B-X"], None),
        (["B-X"], ["B-X"], None),
        ([], ["B-X"], None),
    ]
    for answers in KIND.constants(own(), dev):
        assert len({tag for p in answers for tag in p.prediction}) == 1
        assert [(p.label, len(p.prediction), p.scores) for p in answers] == [
            *((["O", "O"], 2, None), (["B-X"], 1, None), ([], 1, None))
        ]
    assert KIND.is_constant(own(), dev, [answer("O O", "B-X B-X"), answer("O", "B-X")])
    assert not KIND.is_constant(own(), dev, [answer("O O", "B-X B-X"), answer("O", "O")])
    assert KIND.is_constant(own(), [], [])


def test_errors_name_the_places_of_wrong_tags() -> None:
    line = {"label": ["O", "B-X", "O", "B-Y"], "prediction": ["O", "O", "O", "B-X"]}
    assert KIND.error(line) == (0.5, "1:B-X 3:B-Y", "1:O 3:B-X")
    assert KIND.error(line | {"prediction": line["label"]}) is None
    assert KIND.error({"label": ["O"], "prediction": ["B-X"]}) == (1.0, "0:O", "0:B-X")
    assert list(KIND.confusions(line)) == [("O", "O"), ("B-X", "O"), ("O", "O"), ("B-Y", "B-X")]


def test_logits_are_of_the_first_pieces_of_words() -> None:
    hidden, packed = torch.arange(8.0).view(4, 2), object()
    encoder = SimpleNamespace(hidden_states=lambda given: (0, hidden) if given is packed else None)
    found = KIND.logits(
        encoder,  # type: ignore[arg-type]
        lambda rows_nh, token_n: rows_nh + 10.0 * token_n[:, None],
        lambda rows_nh: -rows_nh,  # type: ignore[arg-type]
        SimpleNamespace(packed=packed, word_indices_w=torch.tensor([1, 3])),  # type: ignore[arg-type]
    )
    assert found.tolist() == [[-12.0, -13.0], [-36.0, -37.0]]
