import bz2
import gzip
import lzma
import zipfile
from pathlib import Path

import pytest
import zstandard

from preprocessing.documents.document import Document
from preprocessing.documents.options import DocumentOptions
from preprocessing.documents.reading import faults_in, read_documents
from preprocessing.errors import PreprocessingError
from preprocessing.sources.options import InputOptions
from preprocessing.sources.planning import plan_splits
from preprocessing.sources.text_files.suffixes import kind_of
from preprocessing.tally import Tally

TEXT = "The clocks were striking one, and nobody in the little town could have said why they did."


def read(path: Path | str, **options: object) -> tuple[list[Document], Tally]:
    tally = Tally()
    splits = plan_splits(InputOptions(text=(str(path),)))
    given = DocumentOptions(**{"cleaning": {"minimum_characters": 0}, **options})  # type: ignore[arg-type]
    documents = [document for split in splits for document in read_documents(split, given, tally)]
    assert tally.unaccounted == 0
    return documents, tally


FILES = {
    "a.md": f"# The heading\n\n{TEXT}",
    "b.html": f"<title>The title</title><nav>menu</nav><p>{TEXT}",
    "c.HTM": f"<h1>The heading</h1><p>{TEXT}",
    "d.xhtml": f"<html><head><title>The title</title></head><body><p>{TEXT}</p></body></html>",
    "e.txt": f"CHAPTER I\n\n{TEXT}\n",
    "f.markdown": f"---\ntitle: The title\n---\n{TEXT}",
}
TITLES = ["The heading", "The title", "The heading", "The title", "e", "The title"]


def test_each_by_its_suffix(tmp_path: Path) -> None:
    for name, content in FILES.items():
        (tmp_path / name).write_text(content)
    documents, tally = read(tmp_path)
    assert [(document.file, document.title) for document in documents] == list(zip(FILES, TITLES, strict=True))
    for document in documents:
        assert (document.source, document.locator, document.sentences) == ("text", "text", (TEXT,))
    assert tally.counters["text.files.md"] == tally.counters["text.files.html"] == 2
    kept, _ = read(tmp_path, books={"keep_headings": True})
    assert [document.sentences[0] for document in kept][::2] == ["The heading", "The heading", "CHAPTER I"]


def test_epub_is_one_document(tmp_path: Path) -> None:
    with zipfile.ZipFile(tmp_path / "x.epub", "w") as archive:
        archive.writestr("c.opf", '<package><item id="a" href="a.html" media-type="text/html"/></package>')
        archive.writestr("a.html", f"<h1>One</h1><p>{TEXT}</p><h1>Two</h1><p>{TEXT}</p>")
    (document,), _ = read(tmp_path / "x.epub", books={"document": "chapter"}, cleaning={"maximum_repeated_share": 1.0})
    assert (document.locator, document.sentences) == ("text", (TEXT, TEXT))


@pytest.mark.parametrize("suffix", [".md", ".html", ".txt"])
@pytest.mark.parametrize(
    ("ending", "compress"),
    [(".gz", gzip.compress), (".bz2", bz2.compress), (".xz", lzma.compress), (".zst", zstandard.compress)],
)
def test_compressed_files(tmp_path: Path, suffix: str, ending: str, compress) -> None:  # type: ignore[no-untyped-def]
    (tmp_path / f"x{suffix}{ending}").write_bytes(compress(TEXT.encode()))
    (document,), _ = read(tmp_path)
    assert (document.sentences, document.title) == ((TEXT,), "x")


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("x.md", "md"),
        ("x.MD", "md"),
        ("x.txt.gz", "txt"),
        ("x.epub", "epub"),
        ("x.html.zst", "html"),
        ("x.xhtml", "xhtml"),
    ]
    + [("x.epub.gz", ""), ("x.pdf", ""), ("README", ""), ("x.md.bak", ""), ("x.gz", ""), ("md", "")],
)
def test_kinds(name: str, kind: str) -> None:
    assert kind_of(name) == kind


def test_what_is_no_text_in_a_folder_is_counted_and_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "deep").mkdir()
    (tmp_path / "a.md").write_text(TEXT)
    (tmp_path / "deep" / "b.pdf").write_bytes(b"%PDF")
    (tmp_path / "README").write_bytes(b"")
    for pattern in (tmp_path, tmp_path / "**" / "*"):
        documents, tally = read(pattern)
        assert [document.file for document in documents] == ["a.md"]
        assert tally.dropped == {"not_text": 2}
        assert [item.locator for item in tally.rejections] == ["README", "deep/b.pdf"]
        assert "--text leaves out" in (said := capsys.readouterr().err)
        assert "README, deep/b.pdf" in said
        (split,) = plan_splits(InputOptions(text=(str(pattern),)))
        assert faults_in(split, DocumentOptions()) == []


@pytest.mark.parametrize("name", ["b.pdf", "README"])
def test_a_file_of_another_suffix_is_one_sentence(tmp_path: Path, name: str) -> None:
    (tmp_path / name).write_text(TEXT)
    with pytest.raises(PreprocessingError, match=rf"{name} does not end in one of \.txt, \.md,"):
        read(tmp_path / name)
    for pattern in (tmp_path, tmp_path / "*"):
        with pytest.raises(PreprocessingError, match=r"there is no file that ends in one of \.txt, \.md,"):
            read(pattern)


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("x.html", "<meta charset=gbk><p>一条大河波浪宽，风吹稻花香两岸。".encode("gbk")),
        ("x.html", "<p>一条大河波浪宽，风吹稻花香两岸。".encode("utf-16")),
        ("x.md", "一条大河波浪宽，风吹稻花香两岸。".encode("utf-8-sig")),
        (
            "x.xhtml",
            '<?xml version="1.0" encoding="gb2312"?><p>一条大河波浪宽，风吹稻花香两岸。</p>'.encode("gbk"),
        ),
    ],
)
def test_encodings(tmp_path: Path, name: str, content: bytes) -> None:
    (tmp_path / name).write_bytes(content)
    (document,), _ = read(tmp_path, language="zh")
    assert "".join(document.sentences) == "一条大河波浪宽，风吹稻花香两岸。"


@pytest.mark.parametrize("name", ["x.md", "x.html", "x.txt"])
def test_an_encoding_that_the_user_names(tmp_path: Path, name: str) -> None:
    text = "Größe und Maß sind zwei Wörter, die man oft braucht."
    (tmp_path / name).write_bytes(text.encode("latin-1"))
    (document,), _ = read(tmp_path, books={"encoding": "latin-1"})
    assert document.sentences == (text,)


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("x.md", b"text\0text", "holds a NUL byte"),
        ("x.html", b"a\x00bc\xff" * 99, "x.html"),
        ("x.epub", b"no archive", "is not a readable EPUB book"),
        ("x.xhtml", b"<!DOCTYPE a [<!ENTITY x 'y'>]><a>&x;</a>", "uses the entity 'x'"),
        ("x.html", b"<p>" + b"x" * (64 << 20), "holds more than 64 MiB"),
    ],
)
def test_bad_files_are_one_sentence_or_counted(tmp_path: Path, name: str, content: bytes, message: str) -> None:
    (tmp_path / name).write_bytes(content)
    (tmp_path / "y.md").write_text(TEXT)
    with pytest.raises(PreprocessingError, match=message) as caught:
        read(tmp_path)
    assert "\n" not in str(caught.value)
    documents, tally = read(tmp_path, skip_bad_files=True)
    assert (len(documents), tally.dropped) == (1, {"bad_file": 1})


def test_a_gutenberg_text_loses_its_licence_here_too(tmp_path: Path) -> None:
    mark = "*** {} OF THE PROJECT GUTENBERG EBOOK EMMA ***"
    text = f"{mark.format('START')}\n\n{TEXT}\n\n{mark.format('END')}\n\nThe licence follows.\n"
    (tmp_path / "x.txt").write_text(text)
    (document,), _ = read(tmp_path)
    assert document.sentences == (TEXT,)


def test_a_long_file_goes_on_in_parts(tmp_path: Path) -> None:
    (tmp_path / "x.md").write_text("\n\n".join([TEXT] * 100))
    documents, _ = read(tmp_path, limits={"document_characters": 4000}, cleaning={"maximum_repeated_share": 1.0})
    assert [document.locator for document in documents] == ["text", "text;part=2", "text;part=3"]
