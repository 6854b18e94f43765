"""Damaged files of one's own: whatever the bytes, one sentence or documents, books that balance, and work that ends."""

from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given, settings

from preprocessing.errors import PreprocessingError
from preprocessing.sources.options import ReaderOptions
from preprocessing.sources.readers import reader_of
from preprocessing.sources.split import Split
from preprocessing.tally import Tally
from tests.preprocessing.sources.mutations import mutations

EXAMPLES = 2000
MARKDOWN = """\
---
title: Notes
---
# A *heading*

A paragraph with **bold**, `code`, [a link](http://x.y "t"), ![a picture](p.png), <b>HTML</b>, a note[^1] &amp; more.
Its second line\\
breaks.

> A quotation
> > in another one

1. one
   - two
     - [ ] three

~~~python
x = 1
~~~

    indented

| a | b |
|---|:-:|
| 1 | 2 |

<div><p>Inside</p>
</div>

$$
e = m
$$

[^1]: The note.
    Its end.

[ref]: <http://x.y> 'title'
Größe, 漢字
仮名. Ω [[page|alias]] ==marked== ~~gone~~ [ref] <http://auto.link>
"""
HTML = """\
<!DOCTYPE html [<!ENTITY x "y">]>
<html lang="en"><head><meta charset="utf-8"><title>A page</title><style>p > a {}</style>
<script>if (a < b) document.write("<p>no</p>")</script></head>
<body class="x"><nav><ul><li><a href="/">Home</a></ul></nav><!-- a comment -->
<h1>A heading</h1><p>Text with <b>bold</b>, <a href="#f1"><sup>1</sup></a> and 10<sup>6</sup> &eacute;&#x41;&hellip;
<p>Unclosed<br>line<table><tr><th>a<td>1</table><pre>two
lines</pre><pre><code>x = 1</code></pre><form><input name=q><button>Go</button></form>
<div hidden>no</div><aside>aside</aside><ruby>漢<rt>kan</rt></ruby><q>quoted</q><svg><text>s</text></svg>
<![CDATA[section]]><p style="display:none">hidden</p><footer>end</footer></body></html>
"""


def reads(folder: Path, name: str, source: str = "text", **options: object) -> Callable[[bytes], None]:
    """Asserts of any bytes in a file of this name what no bytes may change; the work is bounded by their number."""
    path = folder / name

    def check(data: bytes) -> None:
        path.write_bytes(data)
        tally = Tally()
        piece = Split(source, str(path), name, 0, len(data))
        characters, said = 0, ""
        try:
            for document in reader_of(source)(piece, ReaderOptions(**options), tally):  # type: ignore[arg-type]
                tally.count("documents_out")
                characters += sum(map(len, document.paragraphs))
                "".join(document.paragraphs).encode()  # half a surrogate pair is no text
                assert not any("\n" in paragraph for paragraph in document.paragraphs)
        except PreprocessingError as error:
            said = str(error)
        if said:
            assert "\n" not in said
            assert name in said
        else:
            assert tally.unaccounted == 0
        assert characters <= 4 * len(data) + 1000

    return check


@pytest.mark.parametrize(
    ("name", "text", "others"),
    [("a.md", MARKDOWN, [HTML]), ("a.html", HTML, [MARKDOWN]), ("a.xhtml", HTML, [MARKDOWN])],
    ids=["markdown", "html", "xhtml"],
)
def test_damaged_files(tmp_path: Path, name: str, text: str, others: list[str]) -> None:
    check = reads(tmp_path, name)
    damaged = mutations(text.encode(), [other.encode() for other in others])
    settings(max_examples=EXAMPLES, derandomize=True, database=None, deadline=None)(given(damaged)(check))()
