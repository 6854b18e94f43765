"""Templates whose numbers and words are kept."""

import pytest

from preprocessing.tally import Tally
from preprocessing.wikitext import WikitextOptions, to_paragraphs
from preprocessing.wikitext.templates import expansion as templates


@pytest.mark.parametrize(
    ("template", "shown"),
    [
        # quantities
        ("{{convert|100|km|mi}}", "100 km"),
        ("{{Convert|1,500.5|sqmi|km2|abbr=on}}", "1,500.5 sq mi"),
        ("{{convert|-40|C}}", "-40 °C"),
        ("{{convert|3|to|5|km|mi|0}}", "3 to 5 km"),
        ("{{convert|3|-|5|ft}}", "3–5 ft"),
        ("{{convert|2|by|4|in|cm}}", "2 by 4 in"),
        ("{{convert|6|ft|2|in|m}}", "6 ft 2 in"),
        ("{{convert|10|ft|3|adj=on}}", "10 ft"),
        ("{{cvt|1/2|lb}}", "1/2 lb"),
        ("{{convert|{{formatnum:1200}}|m}}", "1200 m"),
        ("{{val|1.5|0.2|e=6|u=kg}}", "1.5 ± 0.2×10^6 kg"),
        ("{{val|299792458|u=m/s}}", "299792458 m/s"),
        ("{{frac|4}}", "1/4"),
        ("{{frac|3|4}}", "3/4"),
        ("{{frac|2|3|4}}", "2 3/4"),
        ("3{{e|8}}", "3×10^8"),
        ("{{formatnum:1234567}}", "1234567"),
        ("{{formatnum:{{nowrap|5000}}}} {{uc:{{lang|fr|oui}}|x}}", "5000 OUI"),
        ("{{gaps|1|234|567}}", "1234567"),
        ("{{height|ft=5|in=11}}", "5 ft 11 in"),
        ("{{nts|42}}", "42"),
        ("{{ordinal|22}} {{ordinal|13}} {{ordinal|x}}", "22nd 13th x"),
        ("{{US$|3 million}} {{€|20}} {{INR}}5", "US$3 million €20 ₹5"),
        ("{{unité|10|km}} {{nombre|1200|habitants}}", "10 km 1200 habitants"),
        # dates
        ("{{start date|1823|4|9|df=y}}", "9 April 1823"),
        ("{{birth date and age|1980|05|12}}", "May 12, 1980"),
        ("{{death date|1999|7}}", "July 1999"),
        ("{{start date|1999}}", "1999"),
        ("{{birth date|12 May 1980}}", "12 May 1980"),
        ("{{as of|2011|3}}", "As of March 2011"),
        ("so, {{as of|2011|lc=y}}", "so, as of 2011"),
        ("{{as of|2011|alt=In 2011}}", "In 2011"),
        ("{{OldStyleDate|22 February|1732|11 February}}", "22 February 1732 [O.S. 11 February]"),
        ("{{circa|1900}} {{c.|1900|1910}}", "c. 1900 c. 1900 – c. 1910"),
        ("{{reign|1509|1547}}", "r. 1509–1547"),
        ("{{marriage|Ann|1900|1910}}", "Ann (m. 1900–1910)"),
        ("{{date|12|mai|1980}}", "12 mai 1980"),
        ("au {{s|XIX|e}}", "au XIXe siècle"),
        # text
        ("{{nowrap|a [[b|c]] {{small|d}}}}", "a c d"),
        ("{{nowrap|1=a = b}}", "a = b"),
        ("{{nowrap|see http://x.org/?a=b now}}", "see http://x.org/?a=b now"),
        ("{{lang|fr|la vie}} {{lang-de|das Leben}} {{langx|es|la vida}}", "la vie das Leben la vida"),
        ("{{transl|ru|ISO|Moskva}}", "Moskva"),
        ("{{nihongo|Tokyo|東京|Tōkyō}}", "Tokyo (東京, Tōkyō)"),
        ("{{zh|s=中国|p=Zhōngguó}}", "中国"),
        ("{{ill|Name|de|Nom|lt=label}} {{ill|Other|de}}", "label Other"),
        ("{{quote|text=Be.|author=X}}", "Be."),
        ("{{quote|To be.|X}}", "To be."),
        ("{{hlist|a|b}}", "a, b"),
        ("{{ubl|a|b}}", "a b"),
        ("{{chem|H|2|O}}", "H2O"),
        ("{{USS|Enterprise|CVN-65|6}}", "USS Enterprise"),
        ("{{sortname|Ann|Bee}}", "Ann Bee"),
        ("a{{snd}}b{{'s}} c{{·}}d{{nbsp}}e {{=}} {{!}} f", "a – b's c · d e = | f"),
        ("{{lc:ABC}} {{ucfirst:abc}}", "abc Abc"),
        ("{{ Nowrap |a}} {{Template:Nowrap|b}} {{NOWRAP\n|c}}", "a b c"),
        ("{{flag|Norway}} {{flagicon|Norway}}x", "Norway x"),
        ("{{convert}}{{frac}}{{val}}{{lang}}{{circa|}}x", "c.x"),
        ("{{citation needed|date=May 2020}}{{efn|a}}{{sfn|b}}x", "x"),
    ],
)
def test_shown_text(template: str, shown: str) -> None:
    assert " ".join(to_paragraphs(template, WikitextOptions(keep_lists=True), Tally())) == shown


@pytest.mark.parametrize("raw", [[], [""], ["", ""], ["=", "a=", "=b"], ["1", "2", "3", "4", "5", "6"], ["x"] * 50])
def test_no_renderer_fails_on_odd_arguments(raw: list[str]) -> None:
    for name, render in templates._RENDERERS.items():
        assert isinstance(render(raw), str), name


def test_every_name_is_in_canonical_form() -> None:
    names = list(templates._RENDERERS)
    assert len(names) > 150
    assert [name for name in names if templates.canonical(name) != name] == []
