"""A build with a map of templates."""

from pathlib import Path

import pytest

from preprocessing.pipeline import run
from preprocessing.shards.reader import ShardSet
from tests.preprocessing.small_build import SMALL, refused


@pytest.fixture
def dump(tmp_path: Path) -> str:
    """A dump in French with templates that the tables know, and one that they do not."""
    page = "<page><title>P</title><ns>0</ns><id>{0}</id><revision><id>1</id><text>{1}</text></revision></page>"
    text = "word1 word2 {{nb|word3}} {{inconnu|word4}} word5 word6 word7. word8 word9 word10 word11 word12 word13."
    pages = "".join(page.format(number, text.replace("word1 ", f"word{number + 20} ")) for number in range(1, 40))
    (tmp_path / "dump.xml").write_text(f'<mediawiki xml:lang="fr">{pages}</mediawiki>')
    return str(tmp_path / "dump.xml")


def test_a_map_says_what_unknown_templates_show(
    inputs: Path, tmp_path: Path, dump: str, no_pictures: None, capsys: pytest.CaptureFixture[str]
) -> None:
    def build(name: str, *options: str) -> tuple[Path, str]:
        folder = tmp_path / name
        words = ["--wikipedia", dump, "--vocab", str(inputs / "vocab.txt"), "--output", str(folder), *SMALL, *options]
        assert run(words) == 0
        return folder, capsys.readouterr().err

    (tmp_path / "map.toml").write_text('"inconnu" = "first"\n')
    plain, said = build("plain")
    assert "dump.xml says that its language is fr, and --language is en: templates are read as in fr" in said
    assert len(said.splitlines()) == 1
    mapped, said = build("mapped", "--language", "fr", "--template-map", str(tmp_path / "map.toml"))
    assert said == ""
    manifests = [ShardSet.open(folder).manifest for folder in (plain, mapped)]
    assert [manifest.corpus.tokens_by_source["wikipedia"] for manifest in manifests] == [39 * 14, 39 * 15]
    tallies = [manifest.tally for manifest in manifests]
    assert [tally["lost_templates"].get("inconnu", 0) for tally in tallies] == [39 * len("{{inconnu|word4}}"), 0]
    assert tallies[0]["inline_templates"] == {"inconnu": 39 * len("{{inconnu|word4}}")}
    assert tallies[0]["template_places"]["inconnu"][0] == "dump.xml#1"
    assert tallies[0]["counters"]["wikipedia.articles_in_another_language"] == 39
    assert "wikipedia.articles_in_another_language" not in tallies[1]["counters"]


def test_a_map_that_changed_is_another_build(
    inputs: Path, tmp_path: Path, dump: str, no_pictures: None, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "map.toml"
    words = ["--wikipedia", dump, "--vocab", str(inputs / "vocab.txt"), "--language", "fr", *SMALL]
    words += ["--output", str(tmp_path / "shards"), "--template-map", str(path)]
    path.write_text('"inconnu" = "first"\n')
    assert run(words) == 0
    path.write_text('"inconnu" = "drop"\n')
    assert "inconnu = first" in refused(capsys, run(words))
    path.write_text('"inconnu" = "frist"\n')
    printed = refused(capsys, run(words))
    assert printed.endswith("inconnu: there is no renderer 'frist'; the nearest is 'first'; mend that line.")
