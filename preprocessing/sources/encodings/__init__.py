"""The encoding of a text file: what marks it, what it declares, and what its bytes say in the language asked for.

In: a way to open the file, and the language; out: the name of a codec, or one sentence. Open `detection.py` first.
"""

from preprocessing.sources.encodings.declared import declared_in_markup, known_encoding, marked_encoding, superset
from preprocessing.sources.encodings.detection import detect_encoding, undecodable
from preprocessing.sources.encodings.plausibility import script_of
from preprocessing.sources.encodings.wide import wide_encoding

__all__ = [
    "declared_in_markup",
    "detect_encoding",
    "known_encoding",
    "marked_encoding",
    "script_of",
    "superset",
    "undecodable",
    "wide_encoding",
]
