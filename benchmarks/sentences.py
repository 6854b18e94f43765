"""Where sentences end, against golden rules: `sentencex` alone and with the languages' tables.

    python -m benchmarks.sentences RULES [--peer pysbd] [--books 'books/*.txt']

RULES is the folder `tests/lang` of pySBD's repository (https://github.com/nipunsadvilkar/pySBD): pragmatic_segmenter's
golden rules in 23 languages, as pairs of a text and its sentences. They are read, not run. Each line of a text is a
paragraph, as for every reader here; a case is right when all its sentences are.
A folder of files CODE.txt serves too, as the tests of the tables have: a line a paragraph, `|` where a sentence ends.
`--peer` adds pySBD itself, or another installed splitter. `--books` adds speeds on real text, turn by turn.
"""

import argparse
import ast
import glob
import json
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import sentencex

from benchmarks.command import benchmark_parser, run
from preprocessing.documents.sentences import Segmenter
from preprocessing.errors import PreprocessingError

_RUNS = 5
_PEER_PARAGRAPHS = 300
_PEERS = ("pysbd", "blingfire", "syntok")
# The files are named after the language's English name, but for one.
_NAMES = """am amharic, ar arabic, bg bulgarian, da danish, de deutsch, el greek, en english, es spanish, fa persian,
fr french, hi hindi, hy armenian, it italian, ja japanese, kk kazakh, mr marathi, my burmese, nl dutch, pl polish,
ru russian, sk slovak, ur urdu, zh chinese"""

Splitter = Callable[[str], Sequence[str]]
Case = tuple[str, list[str]]


def read_rules(folder: Path) -> dict[str, list[Case]]:
    """The cases of every language by its code. Raises PreprocessingError where the folder holds none."""
    rules = {file.stem: list(_lines(file)) for file in folder.glob("*.txt")}
    for code, name in (pair.split() for pair in _NAMES.replace("\n", " ").split(", ")):
        file = folder / f"test_{name}.py"
        if file.is_file() and (cases := list(_cases(ast.parse(file.read_text(encoding="utf-8"))))):
            rules[code] = cases
    if not rules:
        raise PreprocessingError(f"{folder}: no golden rules; give the folder tests/lang of pySBD's repository.")
    return rules


def _lines(file: Path) -> Iterator[Case]:
    for line in file.read_text(encoding="utf-8").splitlines():
        yield line.replace("|", ""), [sentence.strip() for sentence in line.split("|")]


def _cases(module: ast.Module) -> Iterator[Case]:
    """Pairs in the lists that the module assigns; what pySBD expects to fail is wrapped in a call, and left out."""
    lists = [node.value for node in module.body if isinstance(node, ast.Assign) and isinstance(node.value, ast.List)]
    for element in (element for each in lists for element in each.elts):
        if isinstance(element, ast.Tuple):
            text, sentences = ast.literal_eval(element)
            yield text, sentences


def right(cases: Sequence[Case], split: Splitter) -> int:
    """How many of the cases the splitter gets wholly right."""
    return sum(_sentences(text, split) == wanted for text, wanted in cases)


def _sentences(text: str, split: Splitter) -> list[str]:
    found = (sentence.strip() for line in text.split("\n") if line.strip() for sentence in split(line.strip()))
    return [sentence for sentence in found if sentence]


def plain(language: str) -> Splitter:
    """`sentencex` as it is."""
    return lambda text: sentencex.segment(language, text)


def ours(language: str) -> Splitter:
    """With the language's table."""
    segmenter = Segmenter(language)
    return lambda text: segmenter.segment([text])


def peer(name: str, language: str) -> Splitter:
    """An installed splitter. Raises PreprocessingError where it is not."""
    try:
        if name == "pysbd":
            import pysbd

            return pysbd.Segmenter(language=language, clean=False).segment
        if name == "blingfire":
            import blingfire

            return lambda text: blingfire.text_to_sentences(text).split("\n")
        from syntok import segmenter as syntok

        return lambda text: [
            "".join(token.spacing + token.value for token in sentence)
            for paragraph in syntok.analyze(text)
            for sentence in paragraph
        ]
    except ImportError:
        raise PreprocessingError(f"--peer {name}: it is not installed; pip install {name}.") from None


def speeds(paragraphs: Sequence[str], language: str, peer_name: str | None = None) -> dict[str, float]:
    """Millions of characters a second of CPU time, the best of five turns; the peer's on the first paragraphs alone."""
    sides = {"sentencex": (plain(language), paragraphs), "ours": (ours(language), paragraphs)}
    if peer_name:
        sides[peer_name] = (peer(peer_name, language), paragraphs[:_PEER_PARAGRAPHS])
    best = dict.fromkeys(sides, float("inf"))
    for _ in range(_RUNS):
        for name, (split, given) in sides.items():
            begin = time.process_time()
            for paragraph in given:
                split(paragraph)
            best[name] = min(best[name], time.process_time() - begin)
    return {
        f"{name}_mb_per_second": round(sum(map(len, sides[name][1])) / 1e6 / seconds, 2)
        for name, seconds in best.items()
    }


def main(argv: Sequence[str] | None = None) -> int:
    """Command line; returns the exit code."""
    parser = benchmark_parser("sentences", __doc__)
    parser.add_argument("rules", type=Path, help="folder tests/lang of pySBD's repository, or of files CODE.txt")
    parser.add_argument("--peer", choices=_PEERS, help="an installed splitter to compare with as well")
    parser.add_argument("--books", help="quoted glob of plain text, whose speed is measured by the rules for English")
    return run(parser, measure, argv)


def measure(arguments: argparse.Namespace) -> None:
    """Compares, and measures speeds where there are books."""
    compare(read_rules(arguments.rules), arguments.peer)
    if arguments.books:
        texts = [Path(file).read_text(encoding="utf-8") for file in sorted(glob.glob(arguments.books))]
        blocks = [" ".join(block.split()) for text in texts for block in text.split("\n\n")]
        print(json.dumps(speeds([block for block in blocks if block], "en", arguments.peer)))


def compare(rules: dict[str, list[Case]], peer_name: str | None = None) -> None:
    """Prints a row for every language: the cases, and how many each side gets right."""
    print("language cases sentencex ours", peer_name or "")
    for language, cases in sorted(rules.items()):
        scores = [right(cases, plain(language)), right(cases, ours(language))]
        if peer_name:
            scores.append(right(cases, peer(peer_name, language)))
        print(language, len(cases), *scores)


if __name__ == "__main__":
    sys.exit(main())
