"""What a corpus was parsed with holds, and an option that says otherwise is refused."""

import argparse
from pathlib import Path
from typing import Any

import pytest

from preprocessing.arguments import OptionParser, add_models
from preprocessing.documents.options import DocumentOptions, ParseOptions
from preprocessing.documents.parsed_options import document_options, parsed_identity
from preprocessing.errors import PreprocessingError
from preprocessing.sources.options import InputOptions
from preprocessing.sources.parsed_corpus import CORPUS_VERSION, ParsedCorpus, SplitRecord
from preprocessing.sources.split import Split


def corpus(folder: Path, sources: str = "wikipedia books", **options: Any) -> str:
    """The folder of a corpus of these sources, parsed with these options; of its files there are none."""
    records = tuple(SplitRecord.of(Split(source, "", f"{source}.x", 0, 1), 1, 1, "") for source in sources.split())
    identity = parsed_identity(ParseOptions.model_validate(options))
    folder.mkdir()
    ParsedCorpus(version=CORPUS_VERSION, options=identity, inputs_hash="", splits=records, tally={}).write(folder)
    return str(folder)


def parsed(*words: str) -> argparse.Namespace:
    parser = OptionParser()
    add_models(parser, (InputOptions, DocumentOptions), config="options")
    return parser.parse_args(words)


def test_without_a_corpus_options_are_what_was_given() -> None:
    assert document_options(parsed("--language", "de")) == DocumentOptions(language="de")


def test_the_options_of_the_corpus_are_taken(tmp_path: Path) -> None:
    options = {
        "language": "de",
        "cleaning": {"minimum_characters": 9, "boilerplate_phrases": ("a", "b"), "maximum_symbol_share": 0.7},
        "books": {"document": "chapter", "encoding": "latin-1"},
        "wikitext": {"keep_lists": True},
        "limits": {"line_bytes": 5000},
    }
    folder = corpus(tmp_path / "corpus", **options)
    assert document_options(parsed("--corpus", folder)) == DocumentOptions.model_validate(options)


def test_what_a_build_leaves_out_and_tolerates_is_its_own(tmp_path: Path) -> None:
    folder = corpus(tmp_path / "corpus", language="de", skip_bad_files=True, wikitext={"accept_truncated": True})
    assert document_options(parsed("--corpus", folder)) == DocumentOptions(language="de")
    found = document_options(
        parsed(
            *("--corpus", folder, "--drop-lists", "d.arrow", "--decontamination.files", "x.tsv", "--skip-bad-files"),
            *("--wikitext.accept-truncated", "--decontamination.action", "drop"),
        )
    )
    assert found.drop_lists == ("d.arrow",)
    assert found.decontamination.files == ("x.tsv",)
    assert found.decontamination.action == "drop"
    assert found.skip_bad_files
    assert found.wikitext.accept_truncated
    assert found.language == "de"


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--language", "en"), "--language en can do nothing: the documents of --corpus .* were parsed with de"),
        (("--cleaning.minimum-characters", "51"), "--cleaning.minimum-characters 51 can do nothing.* parsed with 50"),
        (("--no-drop-control-characters",), "--cleaning.drop-control-characters no .* parsed with yes"),
        (("--boilerplate-phrases", "a", "b"), r"--cleaning.boilerplate-phrases a,b .* parsed with lorem ipsum,.*…;"),
        (("--wikitext.keep-lists",), "--wikitext.keep-lists yes can do nothing"),
        (("--books.document", "chapter"), "--books.document chapter can do nothing"),
        (("--limits.line-bytes", "7"), "--limits.line-bytes 7 can do nothing"),
    ],
)
def test_an_option_that_says_otherwise_is_refused(tmp_path: Path, words: tuple[str, ...], message: str) -> None:
    folder = corpus(tmp_path / "corpus", language="de")
    with pytest.raises(PreprocessingError, match=message) as caught:
        document_options(parsed("--corpus", folder, *words))
    assert "leave the option out, or parse the raw inputs with it" in str(caught.value)
    assert len(str(caught.value)) < 300 + len(folder)


def test_also_in_a_file_of_options(tmp_path: Path) -> None:
    """There too it would look as if it had been applied."""
    folder = corpus(tmp_path / "corpus", language="de")
    (tmp_path / "options.toml").write_text('[cleaning]\nnormalization = "NFKC"\n')
    with pytest.raises(PreprocessingError, match=r"--cleaning.normalization NFKC can do nothing.* parsed with NFC"):
        document_options(parsed("--corpus", folder, "--config", str(tmp_path / "options.toml")))


def test_an_option_that_says_the_same_is_taken(tmp_path: Path) -> None:
    folder = corpus(tmp_path / "corpus", language="de", cleaning={"boilerplate_phrases": ("a", "b")})
    words = ("--corpus", folder, "--language", "de", "--boilerplate-phrases", "a", "b", "--minimum-characters", "50")
    assert document_options(parsed(*words)) == document_options(parsed("--corpus", folder))


def test_two_corpora_must_agree(tmp_path: Path) -> None:
    one = corpus(tmp_path / "one", "wikipedia")
    two = corpus(tmp_path / "two", "books", cleaning={"minimum_characters": 9})
    with pytest.raises(PreprocessingError, match=r"parsed with other options \(cleaning.minimum_characters: 50 → 9\)"):
        document_options(parsed("--corpus", one, two))


def test_but_for_options_that_concern_one_of_them(tmp_path: Path) -> None:
    """Dumps alone say nothing of books, and the other way round: in whatever order they are given."""
    dumps = corpus(tmp_path / "dumps", "wikipedia", wikitext={"keep_lists": True}, records={"text_field": "body"})
    books = corpus(tmp_path / "books", "books", books={"document": "chapter"})
    for folders in ((dumps, books), (books, dumps)):
        found = document_options(parsed("--corpus", *folders))
        assert found.wikitext.keep_lists
        assert found.books.document == "chapter"
    # What concerns none of them may be said; else it is as a corpus has it.
    assert document_options(parsed("--corpus", dumps)).records.text_field == "body"
    assert document_options(parsed("--corpus", dumps, "--records.text-field", "x")).records.text_field == "x"
    rows = corpus(tmp_path / "rows", "huggingface", records={"text_field": "content"})
    assert document_options(parsed("--corpus", dumps, rows)).records.text_field == "content"


def test_a_corpus_of_a_build_has_the_configuration_of_the_raw_build(tmp_path: Path) -> None:
    """Every option that may differ comes back, so that shards say the same."""
    options = ParseOptions.model_validate({"language": "fr", "wikitext": {"page_limit_bytes": 77}})
    folder = corpus(tmp_path / "corpus", "wikipedia", **options.model_dump())
    assert parsed_identity(document_options(parsed("--corpus", folder))) == parsed_identity(options)
    rooms = {"wikitext", "books", "records", "sentences"}
    assert set(parsed_identity(options)) == {"language", "limits", "cleaning"} | rooms


@pytest.fixture
def template_map(tmp_path: Path) -> str:
    path = tmp_path / "map.toml"
    path.write_text('"b" = "second"\n"a" = "first"\n')
    return str(path)


def test_a_template_map_is_read_into_the_options(template_map: str) -> None:
    found = document_options(parsed("--template-map", template_map))
    assert found.template_map is None
    assert found.wikitext.templates == ("a = first", "b = second")
    moved = Path(template_map).rename(Path(template_map).with_name("other.toml"))
    assert document_options(parsed("--template-map", str(moved))) == found
    assert parsed_identity(found) != parsed_identity(DocumentOptions())
    assert "template_map" not in parsed_identity(found)


def test_an_entry_of_the_command_line_is_stronger_than_the_map(template_map: str) -> None:
    found = document_options(parsed("--template-map", template_map, "--wikitext.templates", "a = last", "c = first"))
    assert found.wikitext.templates == ("a = last", "b = second", "c = first")


def test_a_corpus_keeps_the_map_that_it_was_parsed_with(tmp_path: Path, template_map: str) -> None:
    options = document_options(parsed("--template-map", template_map))
    folder = corpus(tmp_path / "corpus", wikitext=options.wikitext.model_dump())
    assert document_options(parsed("--corpus", folder)) == options
    assert document_options(parsed("--corpus", folder, "--template-map", template_map)) == options
    other = tmp_path / "other.toml"
    other.write_text('"a" = "last"\n')
    with pytest.raises(PreprocessingError, match="--template-map a = last can do nothing: the documents of --corpus"):
        document_options(parsed("--corpus", folder, "--template-map", str(other)))


def test_a_corpus_without_dumps_does_not_bind_the_map(tmp_path: Path, template_map: str) -> None:
    folder = corpus(tmp_path / "corpus", "books")
    found = document_options(parsed("--corpus", folder, "--template-map", template_map))
    assert found.wikitext.templates == ("a = first", "b = second")
