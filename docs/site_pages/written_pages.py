"""What is written for the repository, fitted to the site: links from one page to another, and the figure of the road.

The pages of `docs/` are read where they lie as well, so they name other files by where these lie in the repository.
"""

import posixpath
import re
from collections.abc import Callable

from site_pages.tables import plain, table

BESIDE_DOCS = {"README.md": "index.md", "CONTRIBUTING.md": "contributing.md", "CHANGELOG.md": "changelog.md"}
"""Pages at the top of the repository, and their names on the site."""
_LINK = re.compile(r"(?<=\]\()(?P<target>[^)#:\s]+)(?P<anchor>#[^)\s]*)?(?=\))")
_ROW = re.compile(r"^\|.*$", re.MULTILINE)
_CODE = re.compile(r"`[^`\n]+`")
_FENCE = re.compile(r"^```mermaid\n(?P<text>.*?)^```\n", re.MULTILINE | re.DOTALL)
_NODE = r"(?P<{0}>\w+)(?:\[\"(?P<{0}_text>[^\"]*)\"\])?"
_EDGE = re.compile(_NODE.format("start") + r"\s*(?:-- \"(?P<label>[^\"]*)\" )?-->\s*(?=" + _NODE.format("end") + ")")


def with_site_links(text: str, folder: str, copied: Callable[[str], str]) -> str:
    """A page's text with its links as the site needs them.

    `folder` is where the page lies in the repository ("docs", or "" for its top). A link out of `docs/` leads to a page
    of `BESIDE_DOCS`, or to where `copied`, given the file's name in the repository, says that the site has it.
    """

    def on_site(match: re.Match[str]) -> str:
        path = posixpath.normpath(posixpath.join(folder, match["target"]))
        if path in BESIDE_DOCS:
            target = BESIDE_DOCS[path]
        elif path.startswith("docs/"):
            target = path.removeprefix("docs/")
        else:
            target = copied(path)
        return target + (match["anchor"] or "")

    return _LINK.sub(on_site, text)


def with_bars_in_code(text: str) -> str:
    """The text with `\\|` in the code of a table's cell as a bare bar: GitHub drops that backslash, MkDocs shows it."""
    return _ROW.sub(lambda row: _CODE.sub(lambda code: code[0].replace("\\|", "|"), row[0]), text)


def with_drawn_road(text: str) -> str:
    """The text with each mermaid flow chart as a table: drawing it would load a program from the network."""
    return _FENCE.sub(lambda match: _table_of(match["text"]), text)


def _table_of(chart: str) -> str:
    names: dict[str, str] = {}
    edges = []
    for line in chart.splitlines():
        for match in _EDGE.finditer(line):
            for end in ("start", "end"):
                if said := match[f"{end}_text"]:
                    names[match[end]] = plain(said.replace("<br/>", " "))
            edges.append((match["start"], (match["label"] or "").replace("<br/>", " "), match["end"]))
    if not edges:
        raise ValueError('a mermaid chart of the README has no arrow that can be read: A -- "label" --> B')
    rows = [(names.get(a, a), f"`{label}` →" if label else "→", names.get(b, b)) for a, label, b in edges]
    return "\n" + table(("from", "by", "to"), rows)
