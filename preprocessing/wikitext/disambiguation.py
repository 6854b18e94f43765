"""Recognising disambiguation pages by what their editors put on them, in any language edition."""

import re
from collections.abc import Iterable

from preprocessing.wikitext.names import phrases

# Canonical names of the templates that mark such a page.
_TEMPLATES = frozenset(
    phrases("""
        disambiguation, disambig, disamb, disamb2, dab, disambiguation page, disambiguation cleanup, hndis,
        disambig-cleanup, hndis-cleanup, human name disambiguation, geodis, place name disambiguation, mathdab,
        numberdis, roaddis, schooldis, hospitaldis, callsigndis, letter-number combination disambiguation,
        species latin name disambiguation, tndis, airport disambiguation, begriffsklärung, homonymie, homonymes,
        patronyme homonyme, desambiguación, desambiguação, desambig, disambigua, doorverwijspagina, dp,
        неоднозначность, багатозначність, ujednoznacznienie, rozcestník, rozlišovacia stránka, 曖昧さ回避, aimai,
        消歧义, 消歧義, 消歧義頁, 동음이의, 동명이인, توضيح, ابهام‌زدایی, פירושונים,
        förgrening, grensida, forgrening, flertydig,
        flertydig side, täsmennyssivu, egyért, egyértelműsítő, anlam ayrımı, trang định hướng, αποσαφήνιση,
        dezambiguizare, вишезначна одредница, višeznačna odrednica, razdvojba, пояснение, argipen,
        desambiguació, apartigilo, disambiguasi, nyahkekaburan, แก้กำกวม, բազմիմաստություն, მრავალმნიშვნელოვანი
        """)
)
_TITLE = re.compile(
    r"\((?:disambiguation|Begriffsklärung|homonymie|desambiguación|desambiguação|disambigua|doorverwijspagina|"
    r"значения|значення|ujednoznacznienie|rozcestník|曖昧さ回避|消歧义|消歧義|동음이의|توضيح|ابهام‌زدایی|"
    r"olika betydelser|anlam ayrımı|định hướng)\)$"
)


def is_disambiguation(title: str, text: str, templates: Iterable[str]) -> bool:
    """Whether the page lists meanings of a name. `templates`: the canonical names of its dropped templates."""
    return not _TEMPLATES.isdisjoint(templates) or "__DISAMBIG__" in text or _TITLE.search(title) is not None
