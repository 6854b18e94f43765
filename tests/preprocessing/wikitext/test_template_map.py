"""`--template-map`: names and expressions in a file of the user."""

from pathlib import Path

import pytest

from preprocessing.errors import PreprocessingError
from preprocessing.tally import Tally
from preprocessing.wikitext import Site, WikitextOptions, to_paragraphs
from preprocessing.wikitext.template_map import parsed_map, read_template_map


def write(folder: Path, text: str) -> str:
    path = folder / "map.toml"
    path.write_bytes(text.encode())
    return str(path)


def test_a_map(tmp_path: Path) -> None:
    path = write(tmp_path, '"Vorlage:B_c" = "second"\n"a" = "{1}. Jh."\nd = \'constant " – "\'\n')
    entries = read_template_map(path)
    assert entries == ("a = {1}. Jh.", 'd = constant " – "', "vorlage:b c = second")
    site = Site(language="de", template_map=parsed_map(entries))
    shown = to_paragraphs("im {{A|19}} oder{{d}}{{B c|x|y}} {{unbekannt|y}}", WikitextOptions(), Tally(), site)
    assert shown == ["im 19. Jh. oder – y"]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('"a" = "frist"', "a: there is no renderer 'frist'; the nearest is 'first'; mend that line"),
        ('"a" = 1', "a is no text"),
        ('[a]\nb = "first"', "a is no text"),
        ("a = first", "is not TOML"),
        ('"a|b" = "first"', "a|b: that is no name of a template"),
        ('"" = "first"', "that is no name of a template"),
        ('"a" = "{1"', "is no pattern"),
    ],
)
def test_a_bad_map_is_one_sentence(tmp_path: Path, text: str, message: str) -> None:
    path = write(tmp_path, text)
    with pytest.raises(PreprocessingError) as caught:
        read_template_map(path)
    assert f"--template-map {path}" in str(caught.value)
    assert message in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_map_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(PreprocessingError, match=r"--template-map .*no\.toml cannot be read"):
        read_template_map(str(tmp_path / "no.toml"))


def test_bytes_that_are_no_text(tmp_path: Path) -> None:
    (tmp_path / "map.toml").write_bytes(b'"a" = "\xff"')
    with pytest.raises(PreprocessingError, match="is not TOML"):
        read_template_map(str(tmp_path / "map.toml"))


def test_a_file_too_large_is_no_map(tmp_path: Path) -> None:
    with pytest.raises(PreprocessingError, match="larger than"):
        read_template_map(write(tmp_path, "#" * ((4 << 20) + 1)))


def test_entries_are_checked_as_options() -> None:
    with pytest.raises(ValueError, match="the nearest is 'first'"):
        WikitextOptions(templates=("a = frist",))
    with pytest.raises(ValueError, match="is not"):
        WikitextOptions(templates=("a",))
