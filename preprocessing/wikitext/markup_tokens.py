"""The one token pattern of the wikitext reader, and what its HTML and extension tags mean.

Every alternative starts with a literal and repeats only possessively (`*+`) over a class that excludes its own
first character, so no position is looked at more than a fixed number of times: matching is linear in the text.
"""

import re

from preprocessing.wikitext.entities import decode
from preprocessing.wikitext.literals import BREAK, GAP
from preprocessing.wikitext.names import words

# The protocols of an external link in brackets, as MediaWiki sets them out of the box; `//` takes that of the page.
_SCHEME = (
    r"(?i:https?://|//|ftps?://|sftp://|ircs?://|git://|gopher://|mms://|nntp://|redis://|ssh://|svn://|telnet://|"
    r"worldwind://|mailto:|news:|geo:|magnet:|bitcoin:|matrix:|sips?:|sms:|tel:|urn:|xmpp:)"
)
# Two apostrophes end an address: they are marks of italics before there are addresses.
_IN_ADDRESS = r"""[^\s\[\]{}<>"']"""
_PATH = rf"(?:{_IN_ADDRESS}++(?:'(?!'){_IN_ADDRESS}*+)*+|'(?!'){_IN_ADDRESS}*+)"
_ADDRESS = rf"(?:\[[0-9A-Fa-f:.]++\]{_PATH}?+|{_PATH})"

_ATTRIBUTES = r"""(?:[^<>"']*+(?:(?:"[^"<]*+"|'[^'<]*+')[^<>"']*+)*+|[^<>]*+)"""

# `match.lastindex` says which alternative of TOKEN it is: the number behind it, None for the bare marks.
TOKEN = re.compile(
    # a link with nothing nested that shows its target (1) or its label (2)
    r"\[\[([^:\[\]{}|<>\n]*+)(?:\|([^\[\]{}<>]++))?+\]\]"
    # any other link with nothing nested: target, label (3 or 4)
    r"|\[\[([^\[\]{}|<>\n]*+)(?:\|([^\[\]{}<>]*+))?+\]\]"
    # a template with nothing nested: name, arguments (6)
    r"|\{\{([^\[\]{}|<>]*+)((?:\|[^\[\]{}<>]*+)?+)\}\}"
    # an external link with nothing nested: label (7)
    rf"|\[{_SCHEME}{_ADDRESS}[ \t]*+([^\[\]{{}}<>\n]*+)\]"
    # a reference that is empty or has no tag inside, whole (8); where an apostrophe follows on its tag, it is a tag
    rf"|<ref(?=[\s/>])(?>{_ATTRIBUTES}>)(?!')((?<=/>)|(?<!/>)[^<]*+</ref>)"
    # a tag: slash, name, attributes (11)
    rf"|<(/?+)([A-Za-z][^\s<>/]*+)({_ATTRIBUTES})>"
    # where a table begins; the same with something nested, and what closes them
    rf"|\{{(?:\||\{{\{{!\}}\}})|\{{\{{|\}}\}}|\[\[|\]\]?+|\||\[{_SCHEME}"
)

SCHEME = re.compile(_SCHEME)

# After the mark of an alternative without groups.
TEMPLATE_NAME = re.compile(r"[^\[\]{}|<>]*+")
LINK_HEAD = re.compile(r"([^\[\]{}|<>\n]*+)(\||\{\{!\}\})?+")
# An address may hold templates.
URL = re.compile(rf"(?:{_ADDRESS}|\{{\{{[^\[\]{{}}<>\n]*+\}}\}})++[ \t]*+")

# Tags whose content is none of wikitext: marks in it are text.
OPAQUE_TAGS = words(
    "nowiki pre math chem ce source syntaxhighlight score timeline graph hiero templatedata mapframe maplink"
)
_OPAQUE = rf"<({'|'.join(sorted(OPAQUE_TAGS))})(?:\s[^<>]*+|/)?+>"

# For skipping balanced regions. Group 1: an opening mark without its first character, group 2: a closing mark, group 3:
# a tag whose content hides marks; no group: a whole region with nothing nested. No alternative begins with a group:
# there `re` would try the whole pattern at every character instead of looking for the first ones.
NESTED_TEMPLATE = re.compile(
    rf"\{{\{{(?:[^{{}}<]*+\}}\}}|\{{[^{{}}<]*+\}}\}}\}})|\{{(\{{)|\}}(\}})|{_OPAQUE}", re.IGNORECASE
)
NESTED_LINK = re.compile(rf"\[\[[^\[\]<]*+\]\]|\[(\[)|\](\])|{_OPAQUE}", re.IGNORECASE)
NESTED_TABLE = re.compile(
    r"\n[ \t:*#]*+(?:\{(\||\{\{!\}\}|\{\(!\}\})|((?:\||\{\{!\}\})\}(?!\})|\{\{!\)\}\}))" rf"|{_OPAQUE}",
    re.IGNORECASE,
)
NESTED_HTML_TABLE = re.compile(rf"<(table\b[^<>]*+>)|</(table\b[^<>]*+>)|{_OPAQUE}", re.IGNORECASE)

# Tags whose content is no prose: it goes with them.
DROPPED_TAGS = words(
    "ref references gallery math chem ce score timeline hiero imagemap inputbox graph mapframe maplink templatedata "
    "templatestyles categorytree syntaxhighlight source pre includeonly indicator section style script charinsert "
    "dynamicpagelist quiz rss poll"
)
BLOCK_TAGS = words("p div blockquote center ul ol dl hr poem tr caption")
HEADING_TAGS = words("h1 h2 h3 h4 h5 h6")
ITEM_TAGS = words("li dt dd")
SPACE_TAGS = words("br td th")
# The others that MediaWiki takes for tags, and those of extensions that show their content. Any other is text.
INLINE_TAGS = words(
    "abbr b bdi bdo big cite code data del dfn em font i ins kbd mark noinclude onlyinclude q rb rp rt "
    "rtc ruby s samp small span strike strong sub sup time tt u var wbr nowiki table noindex link meta "
    "langconvert translate tvar languages phonos"
)

# What makes a raised text a power: a number after a digit, letter or bracket, a variable in italics after them, or one
# of the usual letters after a digit. "n<sup>th</sup>" and "XIX<sup>e</sup>" are none.
_NUMBER = re.compile(r"[-−–+±]?\s*[0-9]")
_VARIABLE = re.compile(r"[-−–+±]?\s*[nkmxN](?![^\W_])")
_LONG_WORD = re.compile(r"[^\W\d_]{3}")
_ORDINALS = words("th st nd rd e er re me o a")
_FRACTION = re.compile(r"(?:/|⁄|&frasl;|&#8260;)<?")


def power_mark(before: str, raised: str, after: str) -> str:
    """What parts a raised text from the character before it: "^" for a power, " " for a fraction, else nothing.

    `after` is the source behind it: 5<sup>1</sup>/<sub>2</sub> is five and a half.
    """
    raised = decode(raised.replace(GAP, "").replace(BREAK, ""))
    if before.isdecimal() and raised.isdecimal() and _FRACTION.match(after):
        return " "
    if not before or not (before.isalnum() or before in ")]}"):
        return ""
    bare = raised.replace("'", "").strip()
    is_variable = "''" in raised and bare not in _ORDINALS and not _LONG_WORD.search(bare) and bare[-1:].isalnum()
    is_power = _NUMBER.match(bare) or is_variable or (before.isdecimal() and _VARIABLE.match(bare))
    return "^" if is_power else ""
