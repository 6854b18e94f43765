"""JSON as it must be read: what a parser would take in silence, or die of, is one sentence or remarked."""

import json

import pytest

from finetuning.errors import FinetuningError
from finetuning.tasks.readers.json_text import parse_json
from finetuning.tasks.readers.remarks import Remarks


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("{", "f.jsonl: line 1 is not JSON"),
        ('{"label": 1, "label": 0}', "line 1 has the key 'label' twice in one object"),
        ('{"a": {"b": 1, "b": 1}}', "the key 'b' twice"),
        ("[" * 100_000, "nested too deep"),
        ('{"a":' * 50_000, "nested too deep"),
        ("9" * 5000, "line 1 is not JSON: Exceeds the limit"),
    ],
)
def test_what_is_refused(text: str, says: str) -> None:
    with pytest.raises(FinetuningError) as caught:
        parse_json(text, "f.jsonl", "line 1")
    assert says in str(caught.value)


def test_half_a_surrogate_pair_is_replaced_and_remarked() -> None:
    remarks = Remarks()
    given = {"text": "a\ud83d b", "list": ["\udc00", 1, None], "key\ud800": {"x": True}}
    value = parse_json(json.dumps(given), "f", "line 7", remarks)
    assert value == {"text": "a\ufffd b", "list": ["\ufffd", 1, None], "key\ufffd": {"x": True}}
    assert remarks.notes("f.jsonl") == (
        "f.jsonl: 1 JSON texts with half a surrogate pair, read as U+FFFD, the first at line 7",
    )


def test_whole_pairs_and_other_escapes_stay() -> None:
    remarks = Remarks()
    given = {"text": "\U0001f600 é \u2028"}
    assert parse_json(json.dumps(given), "f", "line 1", remarks) == given
    assert remarks.notes("f") == ()
