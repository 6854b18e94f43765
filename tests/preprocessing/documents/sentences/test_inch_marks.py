import pytest
from hypothesis import given
from hypothesis import strategies as st

from preprocessing.documents.sentences.inch_marks import STANDS_IN, without_inch_marks


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ('a 12" single, a 7" one', "a 12″ single, a 7″ one"),
        ('"in 1990", he said, "or 1991"', '"in 1990", he said, "or 1991"'),
        ('He said "12" and a 7" one', 'He said "12" and a 7″ one'),
        ('צה"ל, מנכ"לית, דו"חות', "צה″ל, מנכ″לית, דו″חות"),
        ('ב"הארץ" וב"כ', 'ב"הארץ" וב″כ'),
        ('"שלום"', '"שלום"'),
        ('"', '"'),
    ],
)
def test_only_marks_that_quote_nothing_are_replaced(text: str, shown: str) -> None:
    assert without_inch_marks(text) == shown


@given(st.text(st.sampled_from('"5אבגד xל'), max_size=30))
def test_nothing_else_changes(text: str) -> None:
    shown = without_inch_marks(text)
    assert shown.replace(STANDS_IN, '"') == text
    assert shown is text or STANDS_IN in shown or '"' in text


def test_text_without_such_marks_is_not_copied() -> None:
    text = 'He said "no" in 1990.'
    assert without_inch_marks(text) is text
