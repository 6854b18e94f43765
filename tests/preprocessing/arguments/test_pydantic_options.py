import argparse
from pathlib import Path
from typing import Annotated, Literal

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
        (("--files", "f"), "did you mean --other.files"),  # two sections have such a field
        (("--boo", "f"), "did you mean --books"),
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


class Recipe(BaseModel):
    """Options of every shape that a file can hold."""

    model_config = ConfigDict(frozen=True, extra="forbid")
    steps: int
    start: str | None = Field(None, alias="from")
    rates: tuple[float, ...] = (0.1,)
    tasks: tuple[str, ...] = Field((), json_schema_extra={"separator": ","})
    keep: bool = True
    section: Section = Section()
    engine: dict[str, object] = Field(default_factory=dict, description="passed on")


class OtherError(Exception):
    pass


def parse_recipe(*argv: str) -> Recipe:
    parser = OptionParser("program", "What it does.", OtherError)
    add_models(parser, (Recipe,), config="a recipe")
    return build_model(Recipe, parser.parse_args(argv), OtherError)


@pytest.fixture
def recipe(tmp_path: Path) -> Path:
    path = tmp_path / "recipe.toml"
    path.write_text(
        'steps = 3\nfrom = "there"\nrates = [0.2]\n[section]\nlimit_bytes = 4\n[engine.zero]\nstage = 1\nsize = 5\n'
    )
    return path


def test_the_command_line_goes_before_the_file(recipe: Path) -> None:
    argv = ("--config", str(recipe), "--section.limit_bytes=6", "--engine.zero.stage", "2", "--engine.name=x")
    found = parse_recipe(*argv, "--tasks", "a, b", "--keep", "false", "--rates", "0.5,1e-3")
    assert (found.steps, found.start, found.rates, found.tasks) == (3, "there", (0.5, 1e-3), ("a", "b"))
    assert found.section.limit_bytes == 6
    assert not found.keep
    assert found.engine == {"zero": {"stage": 2, "size": 5}, "name": "x"}


@pytest.mark.parametrize(
    ("change", "argv", "message"),
    [
        ("step = 1", (), r"recipe\.toml: unknown key 'step'; did you mean steps\?$"),
        (
            "steps = 3\n[section]\nlimt_bytes = 1",
            (),
            "'section.limt_bytes'; did you mean section.limit_bytes",
        ),
        ("steps = 'x'", (), r"recipe\.toml: steps = x: input should be a valid integer"),
        ("steps = 3", ("--steps", "y"), r"^--steps y: input should be a valid integer"),
        ("steps = 3", ("--from", "a", "--keep", "perhaps"), "write yes or no"),
        ("steps = 3", ("--engine.zero",), "has no value"),
        ("steps = 3", ("--engine.zero=1", "--engine.zero.stage=2"), "is a value, not a table"),
        ("steps = ", (), "is not TOML"),
        ("from = 'x'", (), r"recipe\.toml: steps is missing; set it there"),
    ],
)
def test_a_bad_recipe_is_refused_in_one_sentence(
    tmp_path: Path, change: str, argv: tuple[str, ...], message: str
) -> None:
    path = tmp_path / "recipe.toml"
    path.write_text(change)
    with pytest.raises(OtherError, match=message) as caught:
        parse_recipe("--config", str(path), *argv)
    assert "\n" not in str(caught.value)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(OtherError, match="there is no such file"):
        parse_recipe("--config", str(tmp_path / "none.toml"))


def test_help_has_meaning_and_default_of_every_key(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        parse_recipe("--help")
    assert caught.value.code == 0
    text = capsys.readouterr().out
    for expected in ("--steps N", "(required)", "--engine.KEY", "passed on", "--section.limit-bytes", "(default: 0.1)"):
        assert expected in text
    assert "Undefined" not in text


def test_help_says_what_an_option_takes(capsys: pytest.CaptureFixture[str]) -> None:
    class Several(BaseModel):
        rates: tuple[Annotated[float, Field(gt=0)], ...] = Field((1.0,), description="each of these")
        count: Annotated[int, Field(ge=1)] | None = Field(None, description="how many")

    parser = OptionParser("program")
    add_models(parser, (Several,))
    parser.add_argument("--output", "--out", type=Path, required=True, help="the file")
    parser.add_argument("--level", choices=("low", "high"), default="low", help="how loud")
    parser.add_argument("--loud", action="store_true", help="louder")
    with pytest.raises(SystemExit):
        parser.parse_args(["--help"])
    lines = [" ".join(line.split()) for line in capsys.readouterr().out.splitlines()]
    assert lines[4:] == [
        "--rates X,X each of these (default: 1.0)",
        "--count N how many",
        "--output, --out PATH the file (required)",
        "--level low|high how loud (default: low)",
        "--loud louder",
    ]


def test_words_after_two_hyphens_are_left_alone() -> None:
    parser = OptionParser("program")
    parser.add_argument("--two-words", help="a text")
    parser.add_argument("command", nargs="+", help="another program's command line")
    found = parser.parse_args(["--two_words=x", "--", "run", "--two_words=y"])
    assert (found.two_words, found.command) == ("x", ["run", "--two_words=y"])


def test_subcommands_have_the_same_manners(capsys: pytest.CaptureFixture[str]) -> None:
    parser = OptionParser("program", error_class=OtherError)
    command = parser.add_subparsers(dest="command", required=True).add_parser("sub")
    command.add_argument("--two-words", type=int, default=3, help="a number")
    assert parser.parse_args(["sub", "--two_words=4"]).two_words == 4
    with pytest.raises(OtherError, match="invalid int value"):
        parser.parse_args(["sub", "--two-words", "x"])
    with pytest.raises(SystemExit):
        parser.parse_args(["sub", "--help"])
    assert "a number (default: 3)" in capsys.readouterr().out


class Size(BaseModel):
    most_rows: int = Field(10, gt=0, json_schema_extra={"also": "rows"})


class Sizes(BaseModel):
    length: int | None = Field(None, ge=8, json_schema_extra={"also": "max_length"})
    part: Size = Size()


def test_a_field_of_two_names(tmp_path: Path) -> None:
    def parse_sizes(*argv: str) -> Sizes:
        parser = OptionParser()
        add_models(parser, (Sizes,), config="sizes")
        return build_model(Sizes, parser.parse_args(argv))

    assert parse_sizes("--max-length", "9", "--part.rows", "3") == Sizes(length=9, part=Size(most_rows=3))
    assert parse_sizes("--length", "9", "--most-rows", "3") == Sizes(length=9, part=Size(most_rows=3))
    path = tmp_path / "sizes.toml"
    path.write_text("max_length = 9\n[part]\nrows = 3\n")
    assert parse_sizes("--config", str(path)) == Sizes(length=9, part=Size(most_rows=3))
    assert parse_sizes("--config", str(path), "--length", "12").length == 12
    with pytest.raises(PreprocessingError, match=r"--length \(--max-length\) 7: input should be greater"):
        parse_sizes("--max-length", "7")
    path.write_text("max_length = 9\nlength = 9\n")
    with pytest.raises(PreprocessingError, match="max_length and length are the same; write one of them"):
        parse_sizes("--config", str(path))
