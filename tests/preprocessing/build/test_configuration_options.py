"""Every option in turn: a build notices each change, or it is one that changes nothing."""

import pickle
import types
import typing
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pydantic import BaseModel

from preprocessing.build.configuration import BuildConfiguration
from preprocessing.documents.options import DocumentOptions
from preprocessing.examples.options import ExampleOptions

TOLERANCE = {"source.skip_bad_files", "source.wikitext.accept_truncated"}
"""They decide whether a build ends, not what it writes; what was left out is counted."""

# Where a value of the right type is not enough.
VALUES: dict[str, Any] = {
    "source.language": "de",
    "source.wikitext.language": "de",
    "examples.sequence_lengths": (64, 256),
    "examples.max_predictions": (7,),
    "examples.mask_probability": 0.3,
    "examples.random_token_share": 0.05,
    "examples.word_segmenter": "textwrap:wrap",
    "source.books.encoding": "latin-1",
    "source.wikitext.templates": ("name = first",),
}


def leaves(model: type[BaseModel], prefix: str) -> Iterator[tuple[str, Any]]:
    for name, field in model.model_fields.items():
        if isinstance(field.annotation, type) and issubclass(field.annotation, BaseModel):
            yield from leaves(field.annotation, f"{prefix}{name}.")
        else:
            yield f"{prefix}{name}", field


FIELDS = dict([*leaves(DocumentOptions, "source."), *leaves(ExampleOptions, "examples.")])


def another(name: str, field: Any, files: tuple[Path, Path]) -> Any:
    """A value that differs from the default."""
    if name in VALUES:
        return VALUES[name]
    annotation, default = field.annotation, field.get_default()
    if isinstance(annotation, types.UnionType):
        annotation = typing.get_args(annotation)[0]
    if typing.get_origin(annotation) is typing.Literal:
        return next(value for value in typing.get_args(annotation) if value != default)
    if name == "source.template_map":
        path = files[0].with_name("map.toml")
        path.write_text('"name" = "first"')
        return str(path)
    if name in ("source.decontamination.files", "source.drop_lists"):
        return (str(files[0]),)
    if isinstance(default, bool):
        return not default
    if isinstance(default, int):
        return default + 1
    if isinstance(default, float):
        return default / 2 + 0.01
    if isinstance(default, tuple):
        return (*default, "one more")
    return f"{default or ''}x"


def configured(name: str = "", value: Any = None, **base: Any) -> BuildConfiguration:
    data: dict[str, Any] = {"tokenizer_fingerprint": "t", "buckets": 4, **base}
    *sections, last = name.split(".")
    place = data
    for section in sections:
        place = place.setdefault(section, {})
    if name:
        place[last] = value
    return BuildConfiguration.model_validate(data)


@pytest.fixture
def files(tmp_path: Path) -> tuple[Path, Path]:
    for folder in "ab":
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "dev.tsv").write_text(f"what is in {folder}")
    return tmp_path / "a" / "dev.tsv", tmp_path / "b" / "dev.tsv"


@pytest.mark.parametrize("name", FIELDS)
def test_every_option_counts(name: str, files: tuple[Path, Path]) -> None:
    value = another(name, FIELDS[name], files)
    assert value != FIELDS[name].get_default()
    assert (configured(name, value).hash == configured().hash) == (name in TOLERANCE)


@pytest.mark.parametrize("name", ["source.decontamination.files", "source.drop_lists"])
def test_files_that_options_name_count_by_their_content(name: str, files: tuple[Path, Path]) -> None:
    one, other = files
    first = configured(name, (str(one),)).hash
    assert configured(name, (str(other),)).hash != first
    one.write_text("what is in b")
    assert configured(name, (str(one),)).hash == configured(name, (str(other),)).hash != first


@pytest.mark.parametrize("pattern", ["*/dev.tsv", "**/*.tsv", "?/dev.tsv"])
def test_files_behind_a_pattern_count(files: tuple[Path, Path], tmp_path: Path, pattern: str) -> None:
    """A pattern over folders found nothing for the hash, and everything for the build."""
    name, value = "source.decontamination.files", (str(tmp_path / pattern),)
    first = configured(name, value).hash
    assert configured(name, value).to_json()["source"]["decontamination"]["files"][0].startswith("a/dev.tsv ")
    files[1].write_text("another text")
    second = configured(name, value).hash
    (tmp_path / "c").mkdir()
    (tmp_path / "c" / "dev.tsv").write_text("one more file")
    assert len({first, second, configured(name, value).hash}) == 3


def test_a_word_segmenter_counts_by_what_it_does(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(tmp_path)
    module = tmp_path / "cutter_of_words.py"
    module.write_text("def cut(text):\n    return [text]\n")
    name, value = "examples.word_segmenter", "cutter_of_words:cut"
    first = configured(name, value).hash
    module.write_text("def cut(text):\n    return list(text)\n")
    assert configured(name, value).hash != first


def test_files_that_options_name_are_read_once_a_build(files: tuple[Path, Path]) -> None:
    """And not by the workers for every bucket: what was found travels with the configuration."""
    made = configured("source.drop_lists", (str(files[0]),))
    before = made.hash
    sent = pickle.loads(pickle.dumps(made))
    files[0].unlink()
    assert sent.hash == made.hash == before
