"""What templates show in the language of their edition, and that no edition's meaning reaches another.

The right values are those of each template's documentation in its own edition, without links and layout; what the
renderer leaves out on purpose (names of languages before a foreign word, flags, ages of today) is left out here too.
"""

import pytest

from preprocessing.languages import LANGUAGES
from preprocessing.tally import Tally
from preprocessing.wikitext import Site, WikitextOptions, to_paragraphs
from preprocessing.wikitext.edition import edition, international
from preprocessing.wikitext.templates.expansion import TemplateTable, family

CASES: dict[str, list[tuple[str, str]]] = {
    "en": [
        ("{{convert|5|to|10|km|mi}}", "5 to 10 km"),
        ("{{birth date|1980|5|12}}", "May 12, 1980"),
        ("{{as of|2020|5}}", "As of May 2020"),
        ("{{lang-fr|la vie}}", "la vie"),
        ("{{circa|1900}}", "c. 1900"),
        ("{{HMS|Victory|1765|6}}", "HMS Victory"),
        ("{{zh|t=臺灣|s=台湾|p=Táiwān}}", "臺灣"),
        ("{{nihongo|Tokyo|東京|Tōkyō}}", "Tokyo (東京, Tōkyō)"),
        ("a{{snd}}b", "a – b"),
        ("{{key press|Ctrl|C}}", "Ctrl+C"),
        ("{{citation needed span|It rained|date=May 2020}}, {{clarify span|text=said he}}", "It rained, said he"),
        ("{{percentage|1|4}}, {{percent|1|3|1}}, {{pct|1,000|4000}}, {{percentage|1|0}}", "25%, 33.3%, 25%,"),
        ("{{harvtxt|Smith|2001}}, {{harvtxt|A|B|C|1990|p=5}}", "Smith (2001), A, B & C (1990)"),
        ("{{DEU}} and {{USA}}", "Germany and United States"),
    ],
    "de": [
        ("{{S|20}}", "S. 20"),
        ("{{FormatNum|1950}} {{ZAHLENFORMAT:5}}", "1950 5"),
        ("{{enS|tower}}", "tower"),
        ("{{DEU}}, {{USA}}", "Deutschland, Vereinigte Staaten"),
        ("{{LaS|turris}}", "turris"),
        ('{{"|Ein Satz|Autor}}', "„Ein Satz“"),
        ("{{§|823|BGB}}", "§ 823 BGB"),
        ("{{dts|3|10|1990}}", "3. Oktober 1990"),
        ("5{{ZahlExp|6}}", "5·10^6"),
        ("{{Bruch|1|2}} {{Bibel|Mt|5|3}}", "1/2 Mt 5,3"),
        ("{{SortKeyName|Ada|Lovelace}}", "Ada Lovelace"),
        ("{{Zitat|Ein Satz.|Autor=X}}", "Ein Satz."),
    ],
    "fr": [
        ("{{date de naissance|1|mai|1980}}", "1er mai 1980"),
        ("{{date-|12|5|1980}}", "12 mai 1980"),
        ("{{nb|1200|habitants}}", "1200 habitants"),
        ("{{IIe siècle}}, {{Ier siècle}}, {{XXIe siècle}}", "IIe siècle, Ier siècle, XXIe siècle"),
        ("{{s|XIX|e}}, {{s-|XIX}}, {{s mini|XIX|e}}", "XIXe siècle, XIXe siècle, XIXe siècle"),
        ("{{-s-|II|e}}", "IIe siècle av. J.-C."),
        ("en {{av JC|50}}, 3 {{av. J.-C.}}", "en 50 av. J.-C., 3 av. J.-C."),
        ("{{s2|III|e|IX|e}}", "IIIe et IXe siècles"),
        ("{{lien|langue=en|trad=Ship|fr=Navire}}", "Navire"),
        ("{{citation|Bonjour}}", "« Bonjour »"),
        ("{{1er|mai}}, {{2e}}, {{XIVe}}", "1er mai, 2e, XIVe"),
        ("{{unité|10|m|3|s|-1}}, {{unité|90|km/h}}, {{nb|5}}", "10 m3·s-1, 90 km/h, 5"),
        ("{{-IIe siècle}}, {{IIIe millénaire}}, {{années 1980}}", "IIe siècle av. J.-C., IIIe millénaire, années 1980"),
        ("{{refnec|Un fait}}", "Un fait"),
        ("{{sp-|XII|e|et au|XVI|e}}", "XIIe et au XVIe siècle"),
        ("{{-sp-|IX|e|-|VII|e|s}}", "IXe - VIIe siècles av. J.-C."),
        ("{{passage non neutre|Un avis}}, {{racine|2}}", "Un avis, √2"),
        ("{{p.|12}}, {{n°|5}}", "p. 12, n° 5"),
    ],
    "es": [
        ("{{fecha|1|5|2000}}", "1 de mayo de 2000"),
        ("{{fecha de nacimiento y edad|12|5|1980}}", "12 de mayo de 1980"),
        ("{{siglo|XIX||s}}, {{siglo|XX}}", "siglo XIX, XX"),
        ("{{Siglo|VIII|a|S}}", "Siglo VIII a. C."),
        ("{{unidad|10|km}}", "10 km"),
        ("{{esd|10 km}}", "10 km"),
        ("{{versalita|XIX}}", "XIX"),
        ("{{cita|Un texto.|Autor}}", "Un texto."),
        ("{{convertir|100|km|mi}}", "100 km"),
        ("x{{harvnp|A|2000}}{{bandera|España}}", "x"),
    ],
    "it": [
        ("{{M|10||km}}, {{M|10|ul=km}}", "10 km, 10 km"),
        ("{{M|1,5|0,2|e=6|u=kg}}", "1,5 ± 0,2×10^6 kg"),
        ("{{maiuscoletto|XIX}}", "XIX"),
        ("{{cn|Un fatto}}", "Un fatto"),
        ("{{Citazione|Un testo.|Autore}}", "Un testo."),
        ("{{nave|HMS|Victory||2}}", "Victory"),
        ("{{converti|100|km|mi}}", "100 km"),
        ("x{{cita|Rossi|p. 5}}{{bandiera|ITA}}", "x"),
        ("{{giapponese|Tokyo|東京|Tōkyō}}", "Tokyo (東京, Tōkyō)"),
    ],
    "pt": [
        ("{{dni|12|5|1980}}", "12 de maio de 1980"),
        ("{{data|1|5|2000}}", "1 de maio de 2000"),
        ("{{séc|XIX}}", "século XIX"),
        ("{{fmtn|1200|km}}", "1200 km"),
        ("{{carece de fontes2|Um facto|data=x}}", "Um facto"),
        ("{{R$|10}}", "R$10"),
        ("{{Ill|en|Nome|Name}}", "Nome"),
        ("{{citação|Um texto.}}", "Um texto."),
        ("x{{harvref|A|2000}}{{carece de fontes}}", "x"),
    ],
    "nl": [
        ("{{Aut|Linnaeus}}", "Linnaeus"),
        ("{{Citaat|Een tekst.|Auteur}}", "Een tekst."),
        ("{{breuk|1|2}}", "1/2"),
        ("{{kleinkapitaal|abc}}", "abc"),
        ("{{taal|en|word}}", "word"),
        ("{{eenheid|10|km}}", "10 km"),
        ("{{convert|5|to|10|km|mi}}", "5 tot 10 km"),
        ("{{geboortedatum|12|5|1980}}", "12 mei 1980"),
        ("x{{feit}}{{vlag|NLD}}", "x"),
    ],
    "pl": [
        ("{{link-interwiki|Tytuł|Q=Q1}}", "Tytuł"),
        ("{{link-interwiki|Tytuł|tekst=słowo}}", "słowo"),
        ("{{data|12|5|1980}}", "12 maja 1980"),
        ("{{cytat|treść=Zdanie.|autor=X}}", "Zdanie."),
        ("{{ułamek|1|2}}", "1/2"),
        ("{{okręt|USS|Enterprise|CVN-65|6}}", "USS Enterprise"),
        ("{{kapitaliki|abc}}", "abc"),
        ("10{{indeks górny|6}}", "10^6"),
        ("x{{odn|A|2000}}{{fakt}}{{wiek|1980|5|12}}", "x"),
    ],
    "ru": [
        ("{{s|12 км}}", "12 км"),
        ("{{nobr|12 км}}", "12 км"),
        ("{{нп5|Название|слово|en|Title}}", "слово"),
        ("{{не переведено|есть=:en:ofuda|надо=офуда|текст=|язык=en}}", "офуда"),
        ("{{дата|12|5|1980}}", "12 мая 1980"),
        ("{{число|1200|км}}", "1200 км"),
        ("{{lang-en|Moscow}}", "Moscow"),
        ("з{{удар|а}}мок", "за\u0301мок"),
        ("{{флагификация|Россия}}", "Россия"),
        ("{{comment|слово|подсказка}}", "слово"),
        ("x{{sfn|A|2000}}{{флаг|Россия}}{{ref-en}}", "x"),
    ],
    "uk": [
        ("{{s|12 км}}", "12 км"),
        ("{{нп|Назва|слово|en|Title}}", "слово"),
        ("{{не перекладено|Назва}}", "Назва"),
        ("{{дата народження|12|5|1980}}", "12 травня 1980"),
        ("{{число|1200|км}}", "1200 км"),
        ("{{lang-en|Kyiv}}", "Kyiv"),
        ("{{флагифікація|Україна}}", "Україна"),
        ("{{цитата|Речення.|автор=X}}", "Речення."),
        ("x{{джерело?}}{{прапорець|Україна}}", "x"),
    ],
    "sv": [
        ("{{född datum|1980|5|12}}", "12 maj 1980"),
        ("{{dödsdatum och ålder|1999|7|1|1920|1|1}}", "1 juli 1999"),
        ("{{citat|En mening.|Källa}}", "En mening."),
        ("{{bråk|1|2}}", "1/2"),
        ("{{språk|en|word}}", "word"),
        ("{{tal|1200}}", "1200"),
        ("{{fartyg|HMS|Vasa}}", "HMS Vasa"),
        ("{{convert|5|to|10|km|mi}}", "5 till 10 km"),
        ("x{{källa behövs}}{{flagga|Sverige}}", "x"),
    ],
    "da": [
        ("{{fødselsdato og alder|1980|5|12}}", "12. maj 1980"),
        ("{{dato|12|5|1980}}", "12. maj 1980"),
        ("{{citat|En sætning.|Kilde}}", "En sætning."),
        ("{{brøk|1|2}}", "1/2"),
        ("{{sprog|en|word}}", "word"),
        ("{{f.Kr.}}", "f.Kr."),
        ("{{skib|USS|Enterprise|CVN-65}}", "USS Enterprise (CVN-65)"),
        ("{{convert|5|to|10|km|mi}}", "5 til 10 km"),
        ("x{{kilde mangler}}{{flagikon|Danmark}}", "x"),
    ],
    "tr": [
        ("{{doğum tarihi|1980|5|12}}", "12 Mayıs 1980"),
        ("{{ölüm tarihi ve yaşı|1999|7|1|1920|1|1}}", "1 Temmuz 1999"),
        ("{{dil|en|word}}", "word"),
        ("{{dil-en|word}}", "word"),
        ("{{alıntı|Bir cümle.|Yazar}}", "Bir cümle."),
        ("{{dönüştür|100|km|mi}}", "100 km"),
        ("{{kısaltma|AB|Avrupa Birliği}}", "AB"),
        ("{{TL|10}}", "₺10"),
        ("x{{kaynak belirt}}{{bayraksimge|Türkiye}}", "x"),
    ],
    "ja": [
        ("{{仮リンク|架空の記事|en|Fiction}}", "架空の記事"),
        ("{{仮リンク|架空の記事|en|Fiction|label=架空}}", "架空"),
        ("{{読み仮名|東京都|とうきょうと}}", "東京都（とうきょうと）"),
        ("{{ルビ|漢字|かんじ}}", "漢字（かんじ）"),
        ("{{lang|en|word}}", "word"),
        ("{{生年月日と年齢|1980|5|12}}", "1980年5月12日"),
        ("{{死亡年月日と没年齢|1920|1|2|1999|7|1}}", "1999年7月1日"),
        ("{{要出典範囲|ある文|date=x}}", "ある文"),
        ("{{補助漢字フォント|鷗}}", "鷗"),
        ("あ（{{要出典}}、）い{{R|a}}", "あい"),
    ],
    "fi": [
        ("{{k-en|house}}, {{k-ru|дом}}", "house, дом"),
        ("{{birth date|1980|5|12}}", "12. toukokuuta 1980"),
        ("{{start date|1980|5}}", "toukokuu 1980"),
        ("{{convert|5|to|10|km|mi}}", "5 – 10 km"),
        ("{{convert|5|or|10|km|mi}}", "5 tai 10 km"),
        ("{{lainaus|Lause.}}", "Lause."),
        ("{{lang|en|house}}{{lähde}}", "house"),
        ("44 {{eaa.}}, 44 {{jKr.}}", "44 eaa., 44 jKr."),
    ],
    "zh": [
        ("{{link-en|中文名|English}}", "中文名"),
        ("{{link-de|中文名|Deutsch|显示}}", "显示"),
        ("{{tsl|en|English|中文名}}", "中文名"),
        ("{{tsl|en|English||中文名}}", "中文名"),
        ("{{le|中文名|English}}", "中文名"),
        ("{{internal link helper/en|中文名|English}}", "中文名"),
        ("{{ship|HMS|Victory||2}}", "Victory"),
        ("{{IAST|ā}}", "ā"),
        ("{{NZ$|20}}", "NZ$20"),
        ("{{bd|1893年|12月26日|1976年|9月9日}}", "（1893年12月26日－1976年9月9日）"),
        ("{{lang|en|word}}", "word"),
        ("{{ruby|漢|hàn}}", "漢（hàn）"),
    ],
    "ko": [
        ("{{임시링크|한국어 제목|en|Title}}", "한국어 제목"),
        ("{{llang|ja|東京|도쿄}}", "東京 도쿄"),
        ("{{출생일과 나이|1980|5|12}}", "1980년 5월 12일"),
        ("{{인용문|한 문장.}}", "한 문장."),
        ("{{국기|대한민국}}", "대한민국"),
        ("10{{위첨자|6}}", "10^6"),
        ("{{ruby|漢字|한자}}", "漢字(한자)"),
        ("{{lang|en|word}}", "word"),
        ("x{{출처}}{{국기그림|대한민국}}", "x"),
    ],
    "ar": [
        ("{{وإو|عر=العنوان|تر=Title|لغ=en}}", "العنوان"),
        ("{{وإو|عر=العنوان|نص=كلمة|تر=Title|لغ=en}}", "كلمة"),
        ("{{تاريخ الميلاد|1980|5|12}}", "12 مايو 1980"),
        ("{{إنج|word}}", "بالإنجليزية: word"),
        ("{{اقتباس|جملة.}}", "جملة."),
        ("{{تحويل|100|كم}}", "100 كم"),
        ("{{ق.م}}", "ق.م"),
        ("{{علم بلد|مصر}}", "مصر"),
        ("{{صلى الله عليه وسلم}}", "ﷺ"),
        ("x{{بحاجة لمصدر}}{{أيقونة علم|مصر}}", "x"),
    ],
    "he": [
        ("{{קישור שפה|אנגלית|English|שם בעברית}}", "שם בעברית"),
        ("{{קישור שפה|אנגלית|English|שם בעברית|מילה}}", "מילה"),
        ("{{שפה|en|word}}", "word"),
        ("{{ציטוט|תוכן=משפט.|מקור=X}}", "משפט."),
        ("{{שבר|1|2}}", "1/2"),
        ("{{משמאל לימין|abc}}", "abc"),
        ("א{{ש}}ב", "א ב"),
        ("{{תאריך לידה|12|5|1980}}", "12 במאי 1980"),
        ("x{{הערה|a}}{{דרוש מקור}}", "x"),
    ],
    "fa": [
        ("{{به انگلیسی|word}}", "به انگلیسی: word"),
        ("{{تاریخ تولد|1980|5|12}}", "12 مه 1980"),
        ("{{تاریخ مرگ و سن|1999|7|1|1920|1|1}}", "1 ژوئیه 1999"),
        ("{{نقل قول|جمله.}}", "جمله."),
        ("{{پرچم|ایران}}", "ایران"),
        ("{{تبدیل|100|km}}", "100 km"),
        ("{{lang|en|word}}", "word"),
        ("{{پ.م.}}", "پ.م."),
        ("x{{مدرک}}{{پرچمک|ایران}}", "x"),
    ],
    "hi": [
        ("{{जन्म तिथि|1980|5|12}}", "12 मई 1980"),
        ("{{मृत्यु तिथि और आयु|1999|7|1|1920|1|1}}", "1 जुलाई 1999"),
        ("{{भाषा|en|word}}", "word"),
        ("{{उद्धरण|एक वाक्य।}}", "एक वाक्य।"),
        ("{{INR|10}}", "₹10"),
        ("{{लिप्यंतरण|hi|IAST|hindī}}", "hindī"),
        ("{{ध्वज|भारत}}", "भारत"),
        ("{{IAST|hindī}}", "hindī"),
        ("x{{उद्धरण आवश्यक}}{{ध्वजचिह्न|भारत}}", "x"),
    ],
}


def shown(language: str, template: str) -> str:
    site = Site(language=language)
    return " ".join(to_paragraphs(template, WikitextOptions(keep_lists=True), Tally(), site))


@pytest.mark.parametrize(("language", "template", "text"), [(a, *case) for a in CASES for case in CASES[a]])
def test_what_is_shown(language: str, template: str, text: str) -> None:
    assert shown(language, template) == text


def test_every_language_has_cases() -> None:
    assert set(CASES) == {language for language in LANGUAGES if edition(language).templates}
    assert min(map(len, CASES.values())) >= 8


@pytest.fixture(scope="module")
def holders() -> dict[str, set[str]]:
    """The languages in whose tables a name stands."""
    found: dict[str, set[str]] = {}
    for code in LANGUAGES:
        for name in (name for group in edition(code).templates.values() for name in group):
            found.setdefault(name, set()).add(code)
    return found


@pytest.mark.parametrize("language", [*sorted(LANGUAGES), "xx"])
def test_no_meaning_reaches_another_language(language: str, holders: dict[str, set[str]]) -> None:
    """For every name in any table, the expression for a language stands in its own table or the international one."""
    table = TemplateTable(language)
    own, everywhere = edition(language).templates, international().templates
    families = [family(name) for group in own.values() for name in group if set(name) & set("*#@?")]
    for name in holders:
        expression = table.expression(name)
        assert expression is None or expression in own or expression in everywhere, name
        if language not in holders[name] and not any(pattern.fullmatch(name) for pattern in families):
            assert expression is None or expression in everywhere, name


@pytest.mark.parametrize(
    ("template", "languages"),
    [
        ("{{s|12 км}}", {"ru": "12 км", "uk": "12 км", "de": "S. 12 км", "fr": "12 кмe siècle", "en": ""}),
        ("{{fecha|1|5|2000}}", {"es": "1 de mayo de 2000", "en": "", "pt": ""}),
        ("{{data|1|5|2000}}", {"it": "1º maggio 2000", "pt": "1 de maio de 2000", "pl": "1 maja 2000", "en": ""}),
        ("{{cita|a}}", {"es": "a", "it": "", "fr": ""}),
        ("{{cn|a}}", {"it": "a", "en": ""}),
        ("{{m|10||km}}", {"it": "10 km"}),
        ("{{HMS|Vasa}}", {"en": "HMS Vasa", "sv": "HMS Vasa", "de": ""}),
        ("{{enS|a}}", {"de": "a", "en": "", "sv": ""}),
        ("{{wiek|1980}}", {"pl": "", "ru": ""}),
        ("{{birth date|1980|5|12}}", {"en": "May 12, 1980", "pl": "12 maja 1980", "xx": "1980-05-12"}),
    ],
)
def test_one_name_in_several_languages(template: str, languages: dict[str, str]) -> None:
    assert {language: shown(language, template) for language in languages} == languages


@pytest.mark.parametrize("code", ["zh-hans", "zh-hant", "ZH"])
def test_variants_are_read_by_the_table_of_their_language(code: str) -> None:
    assert shown(code, "{{link-en|中文名|English}}") == "中文名"
