"""Tables of names, written as running text."""


def words(text: str) -> frozenset[str]:
    """The words of a text, parted by white space."""
    return frozenset(text.split())


def phrases(text: str) -> list[str]:
    """The phrases of a text, parted by commas; line breaks and blanks around a phrase are not part of it."""
    return [" ".join(phrase.split()) for phrase in text.split(",") if phrase.strip()]
