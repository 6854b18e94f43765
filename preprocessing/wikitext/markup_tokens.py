"""The one token pattern of the wikitext reader, and what its HTML and extension tags mean.

Every alternative starts with a literal and repeats only possessively (`*+`) over a class that excludes its own
first character, so no position is looked at more than a fixed number of times: matching is linear in the text.
"""

import re

from preprocessing.wikitext.names import words

_SCHEME = r"(?:https?:|ftps?:|sftp:|irc:|news:|gopher:|mailto:|//)"

# What `match.lastindex` is for the alternatives of TOKEN that carry groups; None for the bare marks.
LINK_TARGET, LINK_LABEL, TEMPLATE, EXTERNAL_LINK, TAG = 1, 2, 4, 5, 8

TOKEN = re.compile(
    # a link with nothing nested: target, label
    r"\[\[([^\[\]{}|<>\n]*+)(?:\|([^\[\]{}|<>]*+))?+\]\]"
    # a template with nothing nested: name, arguments
    r"|\{\{([^\[\]{}|<>]*+)((?:\|[^\[\]{}<>]*+)?+)\}\}"
    # an external link with nothing nested: label
    rf"|\[{_SCHEME}[^\s\[\]{{}}<>]*+[ \t]*+([^\[\]{{}}<>\n]*+)\]"
    # a tag: slash, name, attributes
    r"|<(/?+)([A-Za-z][A-Za-z0-9]*+)([^<>]*+)>"
    # the same with something nested, and what closes them
    rf"|\{{\{{|\}}\}}|\[\[|\]\]?+|\{{\||\||<!--|\[{_SCHEME}"
)

# After the mark of an alternative without groups.
TEMPLATE_NAME = re.compile(r"[^\[\]{}|<>]*+")
LINK_HEAD = re.compile(r"([^\[\]{}|<>\n]*+)\|")
URL = re.compile(r"[^\s\[\]{}<>]*+[ \t]*+")

_OPAQUE = r"<!--|<(nowiki|pre|math|source|syntaxhighlight)\b[^<>]*+>"

# For skipping balanced regions. Group 1: an opening mark, group 2: a closing mark, group 3: a tag whose content
# hides marks; no group: a comment, or a whole region with nothing nested.
NESTED_TEMPLATE = re.compile(rf"\{{\{{[^{{}}<]*+\}}\}}|(\{{\{{)|(\}}\}})|{_OPAQUE}", re.IGNORECASE)
NESTED_LINK = re.compile(rf"\[\[[^\[\]<]*+\]\]|(\[\[)|(\]\])|{_OPAQUE}", re.IGNORECASE)
NESTED_TABLE = re.compile(rf"(?:\n[ \t:*#]*+(?:(\{{\|)|(\|\}}(?!\}}))))|{_OPAQUE}", re.IGNORECASE)
NESTED_HTML_TABLE = re.compile(rf"(<table\b[^<>]*+>)|(</table\b[^<>]*+>)|{_OPAQUE}", re.IGNORECASE)

# Tags whose content is no prose: it goes with them.
DROPPED_TAGS = words(
    "ref references gallery math chem ce score timeline hiero imagemap inputbox graph mapframe maplink templatedata "
    "templatestyles categorytree syntaxhighlight source pre includeonly indicator section style script"
)
BLOCK_TAGS = words("p div blockquote center ul ol dl hr poem h1 h2 h3 h4 h5 h6 tr caption")
ITEM_TAGS = words("li dt dd")
SPACE_TAGS = words("br td th wbr")
INLINE_TAGS = words(
    "abbr b bdi bdo big cite code data del dfn em font i ins kbd mark noinclude onlyinclude q rb rp rt "
    "rtc ruby s samp small span strike strong sub sup thead tbody tfoot time tt u var nobr nowiki table noindex "
    "a"
)
