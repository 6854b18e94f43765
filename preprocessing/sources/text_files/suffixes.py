"""Which files `--text` reads, by their names."""

KINDS = {
    ".txt": "txt",
    ".md": "md",
    ".markdown": "md",
    ".html": "html",
    ".htm": "html",
    ".xhtml": "xhtml",
    ".epub": "epub",
}
_COMPRESSED = (".gz", ".bz2", ".xz", ".zst")


def kind_of(file: str) -> str:
    """One of "txt", "md", "html", "xhtml" or "epub"; "" for a name that says none of them."""
    name = file.lower()
    for ending in _COMPRESSED:
        if name.endswith(ending):
            name = name.removesuffix(ending)
            return "" if name.endswith(".epub") else _kind(name)
    return _kind(name)


def _kind(name: str) -> str:
    return next((kind for suffix, kind in KINDS.items() if name.endswith(suffix)), "")
