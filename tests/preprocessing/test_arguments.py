import argparse
from typing import Literal

import pytest
from pydantic import BaseModel, ConfigDict, Field

from preprocessing.arguments import OptionParser, add_models, build_model, refuse_unknown
from preprocessing.errors import PreprocessingError


class Section(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")
    limit_bytes: int = Field(10, gt=0)
    files: tuple[str, ...] = ()


class Other(BaseModel):
    files: tuple[str, ...] = ()


class Options(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")
    books: tuple[str, ...] = ()
    lengths: tuple[int, ...] = (1, 2)
    keep: bool = True
    kind: Literal["a", "b"] = "a"
    share: float = Field(0.5, ge=0, le=1, description="so many % of it")
    name: str | None = None
    maybe: bool | None = None
    section: Section = Section()
    other: Other = Other()


def parse(*argv: str) -> Options:
    parser = OptionParser()
    add_models(parser, (Options,))
    return build_model(Options, parser.parse_args(argv))


@pytest.mark.parametrize(
    ("argv", "expected"),
    [
        ((), {}),
        (("--books", "x", "y", "--books", "z"), {"books": ("x", "y", "z")}),
        (("--books=a,b.txt",), {"books": ("a,b.txt",)}),
        (("--lengths", "128,512"), {"lengths": (128, 512)}),
        (("--no-keep",), {"keep": False}),
        (("--maybe",), {"maybe": True}),
        (("--no-maybe",), {"maybe": False}),
        (("--kind", "b", "--share", "1", "--name", "n"), {"kind": "b", "share": 1.0, "name": "n"}),
        (("--section.limit-bytes", "7"), {"section": Section(limit_bytes=7)}),
        (("--limit-bytes", "7"), {"section": Section(limit_bytes=7)}),
        (("--section.files", "f"), {"section": Section(files=("f",))}),
    ],
)
def test_options_reach_their_fields(argv: tuple[str, ...], expected: dict[str, object]) -> None:
    assert parse(*argv) == Options(**expected)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("argv", "message"),
    [
        (("--share", "2"), r"^--share 2: input should be less than or equal to 1"),
        (("--section.limit-bytes", "0"), r"^--section\.limit-bytes 0: input should be greater than 0"),
        (("--lengths", "1,x"), r"--lengths"),
        (("--kind", "c"), "invalid choice"),
        (("--files", "f"), "unrecognized"),  # two sections have such a field
        (("--boo", "f"), "unrecognized"),
        (("--books",), "expected at least one"),
    ],
)
def test_a_bad_value_is_refused_in_one_sentence(argv: tuple[str, ...], message: str) -> None:
    with pytest.raises(PreprocessingError, match=message) as caught:
        parse(*argv)
    assert "\n" not in str(caught.value)


def test_a_required_option_is_named() -> None:
    class Required(BaseModel):
        output: str

    with pytest.raises(PreprocessingError, match=r"^--output is missing"):
        build_model(Required, argparse.Namespace())


def test_help_can_be_printed(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        parse("--help")
    assert "so many % of it" in capsys.readouterr().out


def test_the_nearest_option_is_named() -> None:
    with pytest.raises(PreprocessingError, match="did you mean --seed"):
        refuse_unknown(["--sed=3"], ["--books", "--seed"])
    with pytest.raises(PreprocessingError, match="see --help"):
        refuse_unknown(["--zzz"], ["--books"])
    refuse_unknown([], ["--books"])
