"""What a pretrained model puts where a text has [MASK], with probabilities.

    python -m pretraining.fill_mask --model RUN/export "Paris is the [MASK] of France."
    python -m pretraining.fill_mask --model RUN --step 7000 --input sentences.txt --top 10 --json

The figures are those of Hugging Face's pipeline "fill-mask" on the same folder.
"""

import json
import sys
from collections.abc import Iterator, Sequence
from contextlib import nullcontext
from dataclasses import asdict
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING

from preprocessing.arguments import OptionParser, end_unread, positive
from preprocessing.errors import PreprocessingError
from pretraining.errors import PretrainingError, ended_by

if TYPE_CHECKING:
    from pretraining.run.saved.masked_words import Filling, MaskedText

TEXTS_AT_A_TIME = 32
STREAM = "-"


def option_parser() -> OptionParser:
    """Which model, and which texts."""
    parser = OptionParser("python -m pretraining.fill_mask", (__doc__ or "").split("\n")[0], PretrainingError)
    text = "a text with one [MASK] or several; any number of texts"
    parser.add_argument("texts", nargs="*", metavar="TEXT", help=text)
    text = "a Hugging Face BERT folder with a head for masked tokens, for instance RUN/export, or a run's folder"
    parser.add_argument("--model", type=Path, metavar="FOLDER", required=True, help=text)
    text = "file with one text a line, instead of texts on the command line; - for standard input"
    parser.add_argument("--input", metavar="FILE", help=text)
    parser.add_argument("--top", type=positive, metavar="N", default=5, help="how many pieces for each [MASK]")
    text = "a JSON object for each text: text, masks (for each a list of score, token, token_str, sequence)"
    parser.add_argument("--json", action="store_true", help=text)
    text = "of a run: the checkpoint of this step; left out: its export, or else the newest checkpoint"
    parser.add_argument("--step", type=int, metavar="N", help=text)
    text = "folder with the tokenizer; left out: the model's, or that of the run's shards"
    parser.add_argument("--tokenizer", type=Path, metavar="FOLDER", help=text)
    return parser


def main(argv: Sequence[str] | None = None) -> int:
    """Command line; returns the exit code."""
    try:
        given = option_parser().parse_args(argv)
        if bool(given.texts) == (given.input is not None):
            raise PretrainingError("give either texts or --input FILE")
        # Late: the help and a wrong option need no torch.
        from pretraining.run.ranks import device_of, read_environment
        from pretraining.run.saved.masked_words import MaskFiller

        filler = MaskFiller.load(given.model, device_of(read_environment()), given.step, given.tokenizer)
        texts = lines_of(given.input) if given.input is not None else numbered(given.texts)
        is_typed = given.input == STREAM and sys.stdin.isatty()  # each line is answered when it is there
        for part in parts(texts, 1 if is_typed else TEXTS_AT_A_TIME):
            read = [filler.read(text, place) for place, text in part]
            for (place, _), text in zip(part, read, strict=True):
                if text.unknown:
                    print(f"{place}: not in the vocabulary: {', '.join(text.unknown)}", file=sys.stderr)
            for text, masks in zip(read, filler.fill(read, given.top), strict=True):
                print(as_json(text, masks) if given.json else as_lines(text, masks), flush=True)
    except BrokenPipeError:
        return end_unread()
    except (PretrainingError, PreprocessingError, OSError) as error:
        return ended_by(error)
    return 0


def numbered(texts: Sequence[str]) -> Iterator[tuple[str, str]]:
    """Place and text of each on the command line."""
    return ((f"text {number}" if len(texts) > 1 else "the text", text) for number, text in enumerate(texts, 1))


def lines_of(name: str) -> Iterator[tuple[str, str]]:
    """Place and text of the lines of a UTF-8 file, or of standard input; blank ones are passed over."""
    number = 0
    try:
        with nullcontext(sys.stdin.buffer) if name == STREAM else open(name, "rb") as file:
            for number, line in enumerate(file, 1):
                if text := line.decode("utf-8-sig" if number == 1 else "utf-8").strip():
                    yield f"{'<stdin>' if name == STREAM else name}: line {number}", text
    except UnicodeDecodeError:
        raise PretrainingError(f"{name}: line {number} is not UTF-8; convert the file") from None
    except OSError as error:
        raise PretrainingError(f"{name}: cannot be read ({error.strerror}); give a file of text") from error


def parts(texts: Iterator[tuple[str, str]], size: int) -> Iterator[list[tuple[str, str]]]:
    """The texts, `size` at a time."""
    while part := list(islice(texts, size)):
        yield part


def as_json(text: "MaskedText", masks: "Sequence[Sequence[Filling]]") -> str:
    """A text and what fills it, in one line."""
    content = {"text": text.text, "masks": [[asdict(filling) for filling in mask] for mask in masks]}
    return json.dumps(content, ensure_ascii=False)


def as_lines(text: "MaskedText", masks: "Sequence[Sequence[Filling]]") -> str:
    """A text and what fills it, for a reader."""
    lines = [text.text]
    for number, mask in enumerate(masks, 1):
        lines += [f"  {'[MASK]' if len(masks) == 1 else f'[MASK] {number} of {len(masks)}'}"]
        lines += [f"    {filling.score:.4f}  {filling.token_str}" for filling in mask]
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
