"""Templates whose numbers and words are kept; the names are those of the English edition."""

import pytest

from preprocessing.languages import LANGUAGES
from preprocessing.tally import Tally
from preprocessing.wikitext import WikitextOptions, to_paragraphs
from preprocessing.wikitext.edition import edition, international
from preprocessing.wikitext.templates.expansion import TemplateTable, canonical, family
from preprocessing.wikitext.templates.expressions import compile_expression


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
        ("{{CHF|20}} {{NZ$|5}} {{currency|20|EUR}} {{currency|5|XYZ}}", "CHF 20 NZ$5 €20 5 XYZ"),
        ("{{val|1.5|e=6}} {{val|e=6}} 10{{sup|−6}} 2{{sup|nd}}", "1.5×10^6 10^6 10^−6 2nd"),
        ("{{convert|10|x|20|in}} {{convert|2|or|3|mi}}", "10 × 20 in 2 or 3 mi"),
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
        ("{{date|2010-05-12|mdy}} {{date|12 May 1980}}", "May 12, 2010 12 May 1980"),
        ("{{birth-date|12|5|1980}} {{dts|1980|5|12|format=dmy}}", "May 12, 1980 May 12, 1980"),
        ("{{as of|2020|5|1}} {{as of|2011|since=y}}", "As of 1 May 2020 Since 2011"),
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
        ("{{USS|Enterprise|CVN-65|6}} {{USS|Enterprise|CVN-65}}", "USS Enterprise USS Enterprise (CVN-65)"),
        ("{{ship|HMS|Victory||2}} {{HMS|Victory|1765|1}} {{MV|A|1947|5}}", "Victory 1765 MV (1947)"),
        ("{{sclass|Iowa|battleship}}, {{sclass|Iowa|battleship|4}}", "Iowa-class battleship, Iowa class"),
        ("{{sclass2|Iowa|battleship|0}}, {{sclass-|Iowa|battleship|5}}", "Iowa-class, Iowa"),
        ("{{sortname|Ann|Bee|Ann Bee (poet)}}", "Ann Bee"),
        ("{{nihongo3|Eng|漢字|kanji}} {{nihongo||東京|Tōkyō}}", "kanji (漢字, Eng) 東京 (Tōkyō)"),
        ('{{sic}} {{sic|teh}} {{\'"}}{{"|x}}', "[sic] teh '\"“x”"),
        ("{{marriage|Ann|1900}} {{marriage|Bea}}", "Ann (m. 1900) Bea"),
        ("{{age|1980|5|12}}{{CURRENTYEAR}}{{inflation|US|5|1900}}{{IPA-de|x}}{{coord|1|2}}x", "x"),
        ("{{subst:nowrap|a}} {{safesubst:nowrap|b}}", "a b"),
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
@pytest.mark.parametrize("language", sorted(LANGUAGES))
def test_no_renderer_fails_on_odd_arguments(language: str, raw: list[str]) -> None:
    for table in (edition(language), international()):
        for expression in table.templates:
            render = compile_expression(expression, edition(language), "II")
            assert render is None or isinstance(render(raw), str), expression


def test_a_name_is_looked_up_once() -> None:
    table = TemplateTable("en")
    assert table["Nowrap"] is not None
    assert table["no such"] is None
    assert dict.get(table, "Nowrap") is table["Nowrap"]
    assert "no such" in table


def test_long_names_are_not_kept() -> None:
    table = TemplateTable("en")
    assert table["x" * 101] is None
    assert len(table) == 0


@pytest.mark.parametrize(
    ("name", "key"),
    [
        (" Cite_web ", "cite web"),
        ("Template:Foo", "foo"),
        ("DEFAULTSORT:Smith, John", "defaultsort:"),
        ("#if:{{{1|}}}", "#if:"),
        ("ORDENAR:x", "ordenar:"),
        ("Main:x", "main:x"),
    ],
)
def test_canonical_names(name: str, key: str) -> None:
    assert canonical(name) == key


@pytest.mark.parametrize(
    ("language", "name", "known"),
    [
        ("nl", "bron?", True),
        ("nl", "bronx", False),
        ("ru", "кто?", True),
        ("ru", "ref-en", True),
        ("en", "fr icon", True),
    ],
)
def test_what_is_dropped_on_purpose(language: str, name: str, known: bool) -> None:
    assert TemplateTable(language).is_dropped_on_purpose(name) is known


@pytest.mark.parametrize(
    ("pattern", "name", "star"),
    [
        ("link-*", "Link-en", "en"),
        ("link-*", "link-", None),
        ("link-*", "link-a b", None),
        ("@e siècle", "XIXe siècle", "XIX"),
        ("@e siècle", "belle siècle", None),
        ("@e", "XIVe", "XIV"),
        ("@e", "Vide", None),
        ("#e", "12e", "12"),
        ("#e", "e", None),
        ("??S", "LaS", ""),
        ("??S", "laS", ""),
        ("??S", "USS", None),
        ("??S", "las", None),
        ("???S", "grcS", ""),
    ],
)
def test_families(pattern: str, name: str, star: str | None) -> None:
    match = family(pattern).fullmatch(name)
    assert (match and (match.group(1) if match.re.groups else "")) == star


def test_a_map_may_name_a_family() -> None:
    render = TemplateTable("en", (("jahr-*", "Jahr {*}"),))["Jahr-1900"]
    assert render is not None
    assert render([]) == "Jahr 1900"


def test_a_map_of_the_user_is_stronger_than_the_tables() -> None:
    mapped = TemplateTable("de", (("s", "last"), ("flagge", "first")))
    render = mapped["S"]
    assert render is not None
    assert render(["1", "2"]) == "2"
    assert mapped["Vorlage:Flagge"] is not None
    assert TemplateTable("de")["Flagge"] is None
