"""JSON read strictly: no key twice, no depth that breaks the parser, no half surrogate pairs."""

from __future__ import annotations

import json
import re
from typing import Any

from finetuning.errors import FinetuningError
from finetuning.tasks.readers.remarks import Remarks
from finetuning.tasks.records import first_twice

_HALF_PAIR = re.compile("[\ud800-\udfff]")


def parse_json(text: str, place: str, what: str, remarks: Remarks | None = None) -> Any:
    """The value of a JSON text.

    A half of a surrogate pair (`"\\ud83d"`, of an emoji that was cut) is no character and cannot be written again: it
    is read as U+FFFD, which keeps the length of the text, and its place is remarked.

    Args:
        text: the JSON.
        place: where it stands, for messages.
        what: what it is called in messages: "line 3", "the file".
        remarks: counts half surrogate pairs.

    Raises:
        FinetuningError: it is not JSON, an object has a key twice, or it is nested too deep.
    """
    try:
        value = json.loads(text, object_pairs_hook=_object)
        if "\\u" in text:
            whole, changed = _whole_characters(value)
            if changed and remarks is not None:
                remarks.surrogates.append(what)
            return whole
        return value
    except _TwiceError as error:
        raise FinetuningError(
            f"{place}: {what} has the key {error.args[0]!r} twice in one object; remove one"
        ) from None
    except RecursionError:
        raise FinetuningError(f"{place}: {what} is nested too deep for JSON of a data set; correct it") from None
    except ValueError as error:  # not JSON; or a number of thousands of digits, which Python refuses to read
        raise FinetuningError(f"{place}: {what} is not JSON: {error}") from None


class _TwiceError(Exception):
    """A key stands in an object for the second time."""


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    result = dict(pairs)
    if len(result) < len(pairs):
        raise _TwiceError(first_twice(name for name, _ in pairs))
    return result


def _whole_characters(value: Any) -> tuple[Any, bool]:
    """The value without half surrogate pairs, and whether it had any."""
    if isinstance(value, str):
        changed = _HALF_PAIR.search(value) is not None
        return (_HALF_PAIR.sub("\ufffd", value) if changed else value), changed
    if isinstance(value, list):
        items = [_whole_characters(item) for item in value]
        return [item for item, _ in items], any(changed for _, changed in items)
    if isinstance(value, dict):
        pairs = [(_whole_characters(key), _whole_characters(item)) for key, item in value.items()]
        return {key: item for (key, _), (item, _) in pairs}, any(a or b for (_, a), (_, b) in pairs)
    return value, False
