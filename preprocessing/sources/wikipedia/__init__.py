"""A MediaWiki XML dump → its articles.

In: the bytes of a range of a dump, which begins at a bz2 stream or anywhere in plain XML. Out: a `RawDocument` for
each article. `head` reads the language and the names of namespaces, `declared_language` says where it is not the one
asked for, `split_points` finds where a dump may be cut, `page_window` holds the bytes and finds the tags around pages,
`pages` their fields, `xml_text` their text, and `articles`, to open first, puts them together with
`preprocessing.wikitext`.
"""

__all__ = ["articles", "declared_language", "head", "pages", "split_points"]
