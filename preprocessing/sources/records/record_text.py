"""The text of one record (a JSON row, a table cell) as paragraphs."""

from preprocessing.sources.paragraphs import blocks_of, margin_of, paragraphs_of


def paragraphs_of_record(text: str) -> list[str]:
    """Blocks between blank lines; inside a block, hard-wrapped lines are joined, other lines are paragraphs."""
    if "\n" not in text:
        return [text]
    lines = text.splitlines()
    margin = margin_of(lines)
    return [paragraph for block in blocks_of(lines) for paragraph in paragraphs_of(block, margin)]
