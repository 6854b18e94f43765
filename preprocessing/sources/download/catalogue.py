"""Project Gutenberg's catalogue: which books there are, by language."""

import csv
import io

from preprocessing.errors import PreprocessingError
from preprocessing.sources.download.transfer import fetch_text

_CATALOGUE = "cache/epub/feeds/pg_catalog.csv"
_CATALOGUE_BYTES = 256 << 20


def gutenberg_ids(mirror: str, language: str, limit: int) -> list[int]:
    """The numbers of the first `limit` texts in that language alone, ascending, so that a rerun takes the same ones.

    Raises PreprocessingError when the catalogue cannot be fetched, is none, or lists no such text.
    """
    url = f"{mirror}/{_CATALOGUE}"
    rows = csv.DictReader(io.StringIO(fetch_text(url, limit_bytes=_CATALOGUE_BYTES)))
    if not {"Text#", "Type", "Language"} <= set(rows.fieldnames or ()):
        raise PreprocessingError(f"{url} is no Gutenberg catalogue; check --mirror, or name the books by --ids.")
    numbers = sorted(
        int(row["Text#"])
        for row in rows
        if row["Type"] == "Text" and row["Language"] == language and row["Text#"].isdigit()
    )
    if not numbers:
        raise PreprocessingError(f"{url} lists no text in language {language!r}; check --language.")
    return numbers[:limit]
