"""Codes of languages → one code a language: what the tables, the editions of Wikipedia and the readers agree on."""

import functools

# Codes of Wikipedia's editions that are not those of their languages (ISO 639), and codes that were withdrawn.
_SAME = {
    "simple": "en", "no": "nb", "als": "gsw", "be-x-old": "be-tarask", "bat-smg": "sgs", "fiu-vro": "vro",
    "map-bms": "jv", "roa-rup": "rup", "zh-classical": "lzh", "zh-min-nan": "nan", "zh-yue": "yue", "iw": "he",
    "in": "id",
}  # fmt: skip


@functools.cache
def plain_language(code: str) -> str:
    """The language of an edition or variant: `zh` of `zh-hans`, `en` of `simple`, `nan` of `zh-min-nan`."""
    code = code.lower().replace("_", "-")
    code = _SAME.get(code, code)
    return _SAME.get(code.partition("-")[0], code.partition("-")[0])
