"""What the road knows of a language, as data: one TOML table a language.

`[writing]` how it is written and stored (scripts, old encodings), `[wikitext]` its edition of Wikipedia (namespaces,
disambiguation, templates that carry text), `[sentences]` where its sentences do not end. Each section is given its
types by the room that reads it; this room only finds it, by any code that the language goes by (`codes.py`).
"""

from preprocessing.languages.codes import plain_language
from preprocessing.languages.tables import LANGUAGES, section

__all__ = ["LANGUAGES", "plain_language", "section", "tables"]
