"""XHTML and HTML → blocks of running text.

In: the bytes of a page or of a chapter. Out: (is heading, text) in reading order, and what was left out, by kind.
`decoding.py` finds the encoding, `parsing.py` reads the markup (XML's rules first where it is XHTML, then HTML's),
`running_text.py` says what is text. Open first: `running_text.py`.
"""

__all__ = ["decoding", "parsing", "running_text"]
