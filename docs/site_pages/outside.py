"""What a page of the site takes from elsewhere, and where it leads to."""

import re
from html.parser import HTMLParser

_ADDRESS = re.compile(r"(?:https?:)?//")
_LINKED = frozenset({"a"})
"""Elements that lead to an address when they are clicked; what any other names is loaded with the page."""


class _Addresses(HTMLParser):
    """Collects the addresses outside the site, by whether they are loaded or led to."""

    def __init__(self) -> None:
        super().__init__()
        self.loaded: list[str] = []
        self.linked: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        for name, value in attrs:
            if name in ("href", "src", "srcset", "data", "poster") and value and _ADDRESS.match(value):
                (self.linked if tag in _LINKED else self.loaded).append(value)


def _addresses(page: str) -> _Addresses:
    found = _Addresses()
    found.feed(page)
    return found


def loads(page: str) -> list[str]:
    """Addresses outside the site that a browser would load to show this HTML."""
    return _addresses(page).loaded


def links(page: str) -> list[str]:
    """Addresses outside the site that this HTML links to."""
    return sorted(set(_addresses(page).linked))
