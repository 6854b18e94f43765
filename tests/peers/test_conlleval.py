"""conlleval of CoNLL-2000 in Perl, and its port to Python: whole entities, found, right and to be found."""

import random
import re
import subprocess
from collections.abc import Callable
from pathlib import Path
from shutil import which

import pytest

from finetuning.kinds.metrics.definitions import entity_scores
from finetuning.kinds.metrics.entities import sentence_counts
from tests.peers.agreement import Agreement
from tests.peers.loading import load

pytestmark = pytest.mark.peer

PERL = "kyzhouhzau/BERT-NER/conlleval.pl"
PORT = "sighsmile/conlleval"
Peer = Callable[[str], Path]
Tags = list[list[str]]

PREFIXES = {"IOB2": "BI", "IOBES": "BIES"}
TYPES = ("PER", "LOC", "MISC-X")


def drawn(seed: int, scheme: str) -> tuple[Tags, Tags]:
    """A few sentences with any tags at all, valid or not, and tags that are often the same."""
    draw = random.Random(seed)
    tags = ["O", *(f"{prefix}-{kind}" for prefix in PREFIXES[scheme] for kind in TYPES)]
    gold = [[draw.choice(tags) for _ in range(draw.randint(1, 12))] for _ in range(draw.randint(1, 6))]
    predicted = [[tag if draw.random() < 0.7 else draw.choice(tags) for tag in tags_of] for tags_of in gold]
    return gold, predicted


def as_lines(gold: Tags, predicted: Tags) -> str:
    """What conlleval reads: a word, its tag and the given one in a line, an empty line behind each sentence."""
    pairs = (zip(right, given, strict=True) for right, given in zip(gold, predicted, strict=True))
    return "".join("".join(f"word {right} {given}\n" for right, given in sentence) + "\n" for sentence in pairs)


def sentences_of(text: str) -> tuple[Tags, Tags]:
    """The tags in lines as conlleval reads them."""
    blocks = [[line.split() for line in block.splitlines()] for block in re.split(r"\n\s*\n", text.strip())]
    gold, predicted = ([[columns[place] for columns in block] for block in blocks] for place in (-2, -1))
    return gold, predicted


def our_counts(gold: Tags, predicted: Tags) -> tuple[int, int, int]:
    """Entities that are right, given, and to be found."""
    right, given, wanted = sentence_counts(gold, predicted)[:, :3].sum(0)
    return int(right), int(given), int(wanted)


def perl_says(script: Path, text: str) -> tuple[tuple[int, int, int], tuple[str, ...]]:
    """Its counts as ours, and its percentages: accuracy, precision, recall, F1."""
    run = subprocess.run(["perl", str(script)], input=text, capture_output=True, text=True, check=True)
    words, scores = run.stdout.splitlines()[:2]
    wanted, given, right = (int(number) for number in re.findall(r"(?:with|found:|correct:) (\d+)", words))
    return (right, given, wanted), tuple(re.findall(r"[\d.]+(?=%|$)", scores))


def percentages(gold: Tags, predicted: Tags) -> tuple[str, ...]:
    """Our scores as it prints them."""
    scores = entity_scores(gold, predicted)
    names = ("accuracy", "entity_precision", "entity_recall", "entity_f1")
    return tuple(f"{100 * scores[name]:.2f}" for name in names)


def test_entities_are_those_of_conlleval(peer: Peer) -> None:
    """Of any sequence of `B-`, `I-` and `O`; it does not know `S-`."""
    script = peer(PERL)
    if which("perl") is None:
        pytest.skip("conlleval needs perl")
    agreement = Agreement("conlleval")
    for seed in range(300):
        gold, predicted = drawn(seed, "IOB2")
        counts, scores = perl_says(script, as_lines(gold, predicted))
        agreement.compare(f"seed {seed}", our_counts(gold, predicted), counts)
        agreement.compare(f"seed {seed}, scores", percentages(gold, predicted), scores)
    agreement.hold()


def port_counts(port: object, gold: Tags, predicted: Tags) -> tuple[int, int, int]:
    """The counts of the port, to which the end of a sentence is a word without an entity."""
    flat_gold, flat_predicted = ([tag for tags in side for tag in (*tags, "O")] for side in (gold, predicted))
    right, wanted, given, *_ = port.count_chunks(flat_gold, flat_predicted)  # type: ignore[attr-defined]
    return sum(right.values()), sum(given.values()), sum(wanted.values())


@pytest.mark.parametrize("scheme", PREFIXES)
def test_entities_are_those_of_the_port(peer: Peer, scheme: str) -> None:
    port = load(peer(f"{PORT}/conlleval.py"), "conlleval")
    agreement = Agreement(f"conlleval-port-{scheme}")
    for seed in range(2000):
        gold, predicted = drawn(seed, scheme)
        agreement.compare(f"seed {seed}", our_counts(gold, predicted), port_counts(port, gold, predicted))
    agreement.hold()


def test_the_published_example(peer: Peer) -> None:
    """The output of a chunker, and what conlleval says of it."""
    gold, predicted = sentences_of(peer(f"{PORT}/output.txt").read_text(encoding="utf-8"))
    words, scores = peer(f"{PORT}/result.txt").read_text(encoding="utf-8").splitlines()[:2]
    wanted, given, right = (int(number) for number in re.findall(r"(?:with|found:|correct:) (\d+)", words))
    agreement = Agreement("conlleval-example")
    agreement.compare("counts", our_counts(gold, predicted), (right, given, wanted))
    agreement.compare("scores", percentages(gold, predicted), tuple(re.findall(r"[\d.]+(?=%|$)", scores)))
    agreement.hold()
