"""The language that dumps declare, against the one that was asked for: said before a build begins."""

from collections.abc import Iterable
from contextlib import closing

from preprocessing.errors import PreprocessingError
from preprocessing.languages import plain_language
from preprocessing.sources.seeking.opening import open_head
from preprocessing.sources.split import Split
from preprocessing.sources.wikipedia.head import read_head


def language_warning(splits: Iterable[Split], language: str) -> str:
    """A sentence where dumps are in another language than `language`; "" where none says so.

    One head is read for each file. What cannot be read says nothing here: the build meets it, and says why.
    """
    others: dict[str, str] = {}
    seen: set[str] = set()
    for split in splits:
        for piece in split.pieces():
            if piece.source != "wikipedia" or piece.parsed or piece.path in seen:
                continue
            seen.add(piece.path)
            try:
                with closing(open_head(piece)) as stream:
                    declared = read_head(stream).language
            except (PreprocessingError, OSError):
                continue
            if declared and plain_language(declared) != plain_language(language):
                others[piece.file] = declared
    if not others:
        return ""
    file, declared = next(iter(others.items()))
    more = f" (and {len(others) - 1} more)" if len(others) > 1 else ""
    return (
        f"{file}{more} says that its language is {declared}, and --language is {language}: templates are read as in "
        f"{declared}, sentences are cut by the rules of {language}; if that is not meant, give --language {declared}"
    )
