"""The language that a dump declares, and what is made of it."""

from pathlib import Path

import pytest

from preprocessing.sources.options import InputOptions
from preprocessing.sources.planning import plan_splits
from preprocessing.sources.stored_stream import StoredStream
from preprocessing.sources.wikipedia.articles import OTHER_LANGUAGE, read_articles
from preprocessing.sources.wikipedia.declared_language import language_warning
from preprocessing.sources.wikipedia.head import read_head
from preprocessing.tally import Tally
from preprocessing.wikitext import WikitextOptions

PAGE = "<page><title>Page</title><ns>0</ns><id>7</id><revision><id>1</id><text>{}</text></revision></page>"
TEXT = "L'an {{date|1|mai|2000}} et {{s|XIX|e}} {{inconnu|x}} là."
FRENCH = "L'an 1er mai 2000 et XIXe siècle là."


def dump(folder: Path, head: str, text: str = TEXT, name: str = "dump.xml") -> Path:
    path = folder / name
    path.write_text(f"{head}{PAGE.format(text)}</mediawiki>", encoding="utf-8")
    return path


@pytest.mark.parametrize(
    ("head", "language"),
    [
        ('<mediawiki xmlns="x" version="0.11" xml:lang="de">', "de"),
        ("<mediawiki xml:lang='zh-Hant'>", "zh-hant"),
        ("<mediawiki><siteinfo><dbname>frwiki</dbname></siteinfo>", "fr"),
        ("<mediawiki><siteinfo><dbname>be_x_oldwiki</dbname></siteinfo>", "be-x-old"),
        ("<mediawiki><siteinfo><base>https://ja.wikipedia.org/wiki/x</base></siteinfo>", "ja"),
        ('<mediawiki xml:lang="en"><siteinfo><dbname>simplewiki</dbname></siteinfo>', "en"),
        ("<mediawiki><siteinfo><dbname>commonswiki</dbname></siteinfo>", ""),
        ("<mediawiki><siteinfo><base>https://www.wikipedia.org/</base></siteinfo>", ""),
        ('<mediawiki xml:lang="">', ""),
        ('<mediawiki xml:lang="../x">', ""),
        ("<mediawiki>", ""),
    ],
)
def test_what_a_head_declares(tmp_path: Path, head: str, language: str) -> None:
    path = dump(tmp_path, head, 'xml:lang="ru" &lt;dbname>ruwiki&lt;/dbname>')
    with StoredStream(str(path), path.name, "") as stream:
        assert read_head(stream).language == language


@pytest.mark.parametrize(
    ("head", "asked", "shown", "others"),
    [
        ('<mediawiki xml:lang="fr">', "fr", FRENCH, 0),
        ('<mediawiki xml:lang="fr">', "en", FRENCH, 1),
        ("<mediawiki>", "fr", FRENCH, 0),
        ("<mediawiki>", "ru", "L'an 1 mai 2000 et XIX là.", 0),
        ('<mediawiki xml:lang="fr">', "", FRENCH, 0),
    ],
)
def test_templates_are_those_of_the_declared_language(
    tmp_path: Path, dumps, head: str, asked: str, shown: str, others: int
) -> None:
    path = dump(tmp_path, head)
    tally = Tally()
    articles = list(read_articles(dumps.range(path), WikitextOptions(), tally, asked))
    assert articles[0].paragraphs == [shown]
    assert tally.counters[OTHER_LANGUAGE] == others
    assert tally.inline_templates["inconnu"] == len("{{inconnu|x}}")
    assert tally.template_places["inconnu"] == ["dump.xml#7"]


def test_options_say_what_templates_show(tmp_path: Path, dumps) -> None:
    options = WikitextOptions(templates=("inconnu = first",))
    articles = read_articles(dumps.range(dump(tmp_path, "<mediawiki>")), options, Tally(), "fr")
    assert next(articles).paragraphs == ["L'an 1er mai 2000 et XIXe siècle x là."]


def test_the_title_and_old_redirects(tmp_path: Path, dumps) -> None:
    path = dump(tmp_path, '<mediawiki xml:lang="de">', "{{SEITENNAME}} ist ein Name.")
    assert next(read_articles(dumps.range(path), WikitextOptions(), Tally())).paragraphs == ["Page ist ein Name."]
    path = dump(tmp_path, '<mediawiki xml:lang="de">', "#WEITERLEITUNG [[Ziel]] und viel Text.")
    tally = Tally()
    assert list(read_articles(dumps.range(path), WikitextOptions(), tally)) == []
    assert tally.dropped == {"redirect": 1}


def test_dumps_in_another_language_are_named_once(tmp_path: Path) -> None:
    dump(tmp_path, '<mediawiki xml:lang="de">', name="a.xml")
    dump(tmp_path, '<mediawiki xml:lang="de">', name="b.xml")
    dump(tmp_path, '<mediawiki xml:lang="fr">', name="c.xml")
    (tmp_path / "e.xml").write_text("no dump")
    splits = plan_splits(InputOptions(wikipedia=(str(tmp_path / "*.xml"),), skip_bad_files=True), 1 << 20)
    said = language_warning(splits, "fr")
    assert said.startswith("a.xml (and 1 more) says that its language is de, and --language is fr: ")
    assert said.endswith("give --language de")


@pytest.mark.parametrize(
    ("declared", "asked"), [("zh", "zh-hant"), ("en", "simple"), ("nb", "no"), ("be-tarask", "be-x-old"), ("de", "DE")]
)
def test_names_of_one_language_are_no_difference(tmp_path: Path, declared: str, asked: str) -> None:
    path = dump(tmp_path, f'<mediawiki xml:lang="{declared}">')
    assert language_warning(plan_splits(InputOptions(wikipedia=(str(path),)), 1 << 20), asked) == ""


@pytest.mark.parametrize(
    ("declared", "asked", "shown"),
    [
        ("zh", "zh-hant", "軟體"),
        ("zh", "zh-tw", "軟體"),
        ("zh", "zh-hk", "軟件"),
        ("zh", "zh", "软件"),
        ("zh", "zh-hans", "软件"),
        ("zh", "", "软件"),
        ("zh-Hant", "", "軟體"),
        ("de", "zh-hant", "-{zh-hans:软件;zh-hant:軟體;zh-hk:軟件}-"),
    ],
)
def test_the_reader_chooses_the_variant(tmp_path: Path, dumps, declared: str, asked: str, shown: str) -> None:
    text = "字-{zh-hans:软件;zh-hant:軟體;zh-hk:軟件}-"
    path = dump(tmp_path, f'<mediawiki xml:lang="{declared}">', text)
    articles = list(read_articles(dumps.range(path), WikitextOptions(), Tally(), asked))
    assert articles[0].paragraphs == [f"字{shown}"]
