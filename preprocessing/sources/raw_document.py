"""What a reader yields before cleaning and segmentation."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class RawDocument:
    """One record as its source cuts it; `locator` is unique within the file."""

    locator: str
    title: str
    paragraphs: list[str]


def in_parts(locator: str, title: str, paragraphs: Iterable[str], limit_characters: int) -> Iterator[RawDocument]:
    """The paragraphs as one document, or as several of about `limit_characters` when there is more text.

    The second part is called `locator;part=2`. Only one part is ever in memory.
    """
    held: list[str] = []
    part, characters = 1, 0
    for paragraph in paragraphs:
        if characters + len(paragraph) > limit_characters and held:
            yield RawDocument(_part_locator(locator, part), title, held)
            part, held, characters = part + 1, [], 0
        held.append(paragraph)
        characters += len(paragraph)
    if held or part == 1:
        yield RawDocument(_part_locator(locator, part), title, held)


def _part_locator(locator: str, part: int) -> str:
    return locator if part == 1 else f"{locator};part={part}"
