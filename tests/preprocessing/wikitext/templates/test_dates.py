"""Dates in the order and with the names of a language."""

import pytest

from preprocessing.wikitext.edition import Dates, edition
from preprocessing.wikitext.templates.dates import date, written


@pytest.mark.parametrize(
    ("language", "full", "month"),
    [
        ("en", "May 1, 1980", "May 1980"),
        ("de", "1. Mai 1980", "Mai 1980"),
        ("fr", "1er mai 1980", "mai 1980"),
        ("es", "1 de mayo de 1980", "mayo de 1980"),
        ("it", "1º maggio 1980", "maggio 1980"),
        ("pt", "1 de maio de 1980", "maio de 1980"),
        ("nl", "1 mei 1980", "mei 1980"),
        ("pl", "1 maja 1980", "maj 1980"),
        ("ru", "1 мая 1980", "май 1980"),
        ("uk", "1 травня 1980", "травень 1980"),
        ("sv", "1 maj 1980", "maj 1980"),
        ("da", "1. maj 1980", "maj 1980"),
        ("tr", "1 Mayıs 1980", "Mayıs 1980"),
        ("ja", "1980年5月1日", "1980年5月"),
        ("zh", "1980年5月1日", "1980年5月"),
        ("ko", "1980년 5월 1일", "1980년 5월"),
        ("ar", "1 مايو 1980", "مايو 1980"),
        ("he", "1 במאי 1980", "מאי 1980"),
        ("fa", "1 مه 1980", "مه 1980"),
        ("hi", "1 मई 1980", "मई 1980"),
        ("xx", "1980-05-01", "1980-05"),
    ],
)
def test_a_date_in_every_language(language: str, full: str, month: str) -> None:
    dates = edition(language).dates
    assert written("1980", "5", "01", dates) == full
    assert written("1980", "05", "", dates) == month
    assert written("1980", "", "", dates) == "1980"
    assert date("ymd", dates)(["1980", "5", "1"]) == full


@pytest.mark.parametrize(
    ("order", "raw", "shown"),
    [
        ("dmy", ["1", "5", "2000"], "1 de mayo de 2000"),
        ("dmy", ["2000", "5", "1"], "1 de mayo de 2000"),
        ("ymd", ["1", "5", "2000"], "1 de mayo de 2000"),
        ("dmy", ["1", "mayo", "2000"], "1 de mayo de 2000"),
        ("dmy", ["1", "5"], "1 de mayo"),
        ("dmy", ["", "5", "2000"], "mayo de 2000"),
        ("dmy", ["2000-05-01"], "1 de mayo de 2000"),
        ("dmy", ["el primero de mayo"], "el primero de mayo"),
        ("ymd", ["-44", "3", "15"], "15 de marzo de -44"),
        ("dmy", [], ""),
    ],
)
def test_orders(order: str, raw: list[str], shown: str) -> None:
    assert date(order, edition("es").dates)(raw) == shown


def test_without_names_of_months_a_date_is_a_row_of_numbers() -> None:
    assert date("dmy", Dates())(["1", "5", "2000"]) == "2000-05-01"
