"""From templates to pages."""

import re
import sys
from collections.abc import Iterator
from pathlib import Path

import jinja2
import pytest
from markupsafe import Markup

from pages import render
from pages.rendering import count, large, share

TEMPLATE = """{% extends "base.html" %}
{% import "parts.html" as parts %}
{% block title %}A {{ name }}{% endblock %}
{% block content %}<h2 id="one">One</h2>
{% call parts.table("Caption " ~ name, ["a", ("b", "n")]) %}
<tr><th scope="row">{{ name }}</th><td class="n">{{ part|share }}{{ parts.bar(part) }}</td></tr>
{% endcall %}{{ drawn }}{% endblock %}
"""


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """A package with a template of its own."""
    (tmp_path / "a_stage" / "templates").mkdir(parents=True)
    (tmp_path / "a_stage" / "__init__.py").write_text("")
    (tmp_path / "a_stage" / "templates" / "page.html").write_text(TEMPLATE)
    monkeypatch.syspath_prepend(tmp_path)
    yield "a_stage"
    sys.modules.pop("a_stage", None)


VALUES = {"name": "<script>", "part": 0.5, "drawn": Markup("<svg></svg>"), "sections": [("one", "<One>")]}


def test_a_page_is_whole_and_escapes_what_it_shows(package: str) -> None:
    page = render(package, "page.html", VALUES)
    assert page.startswith('<!DOCTYPE html>\n<html lang="en">')
    assert page.count("A &lt;script&gt;") == 2  # title and heading
    assert "<caption><span>Caption &lt;script&gt;</span></caption>" in page
    assert '<a href="#one">&lt;One&gt;</a>' in page
    assert '50.0%<span class="bar series0" aria-hidden="true" style="inline-size: 50.0%"></span></td>' in page
    assert "<svg></svg>" in page
    assert "<script" not in page
    assert page == render(package, "page.html", VALUES)


def test_a_page_needs_no_network(package: str) -> None:
    page = render(package, "page.html", VALUES)
    assert not re.search(r"(?:src|href)=\"(?!#)|url\(|@import|https?:", page)


def test_what_is_not_given_is_an_error(package: str) -> None:
    with pytest.raises(jinja2.UndefinedError):
        render(package, "page.html", {"sections": []})


def test_without_sections_there_is_no_navigation(package: str) -> None:
    assert "<nav" not in render(package, "page.html", VALUES | {"sections": []})


def test_no_template_turns_escaping_off(repository: Path) -> None:
    templates = [file for file in repository.glob("*/**/templates/*.html") if ".venv" not in file.parts]
    assert len(templates) >= 7
    for file in templates:
        assert not re.search(r"\|\s*safe|autoescape", file.read_text(encoding="utf-8")), file


def test_numbers() -> None:
    assert [count(4800.4), large(999_999), large(3.3e9), share(0.1234), share(0.1234, 2)] == [
        "4,800",
        "999,999",
        "3.3B",
        "12.3%",
        "12.34%",
    ]
