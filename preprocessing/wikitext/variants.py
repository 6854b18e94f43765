"""Language conversion marks of Chinese, Serbian and other editions: `-{zh-hans:计算机; zh-hant:電腦}-`."""

import re

_MARK = re.compile(r"-\{([^{}]*+)\}-")
_VARIANT = re.compile(r"\s*[a-z][a-z-]*\s*:")
_HIDDEN_FLAGS = frozenset("HTND-")


def resolve_variants(text: str) -> str:
    """The first variant of every mark; marks that only define a rule or a title show nothing."""
    return _MARK.sub(_shown, text)


def _shown(match: re.Match[str]) -> str:
    flags, bar, rule = match.group(1).rpartition("|")
    if bar and _HIDDEN_FLAGS & set(flags.replace(";", "")):
        return ""
    first = rule.partition(";")[0]
    return first.partition(":")[2].strip() if _VARIANT.match(first) else first.strip()
