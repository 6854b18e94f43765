"""The unit that every source produces and every later step consumes."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Document:
    """One article, chapter or record as an ordered run of clean sentences.

    `file` is the input's name as the user gave it, relative to the fixed prefix of the glob, never an absolute
    path: output bytes must not depend on where the input lies. `locator` (page id, chapter, row) is unique
    within the file. `sentences` are normalised and segmented, in order, and never empty strings.
    """

    source: str
    file: str
    locator: str
    title: str
    sentences: tuple[str, ...]
