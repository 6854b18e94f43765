"""One run of every fine-tuning recipe on made-up rows, pinned, and the curves of a shorter one.

Each run takes all defaults: about 20 steps of 32 rows in three epochs, with dropout, from a small checkpoint of fixed
numbers. No file holds the loss of every step, so what is pinned is what a run leaves: the mean loss of the last epoch,
all metrics, the answer to every row of dev and test with its probabilities, and the norms of the final weights, which
every step has moved. A recipe that has no training split answers by the model that its `trained_by` names.

Tolerances are for other processors, whose sums end in other digits: they hold on one with AVX-512 that is held to AVX2
(`ATEN_CPU_CAPABILITY=avx2 ONEDNN_MAX_CPU_ISA=AVX2`).

The curves are those of a hundred rows: learning rate, loss and norm of the gradient, before it is clipped, at each of
twelve steps. They are compared with golden ones, and with those of `reference_finetuning.py`, which shares no code
with ours, so that what is pinned is right as well.
"""

import csv
import json
import random
import tomllib
from collections.abc import Callable, Iterable, Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors.torch import load_file

from finetuning.kinds.encoding.layout import EncodedSplit
from finetuning.kinds.model import TaskModel
from finetuning.run import finetune, loop
from finetuning.run.engine import LocalEngine
from finetuning.run.finetune import run
from finetuning.run.ranks import Ranks
from finetuning.run.specification import RunSpec
from tests.end_to_end.reference_finetuning import Step, curve, masked_model

RECIPES = sorted((Path(__file__).resolve().parents[2] / "finetuning" / "recipes").glob("*.toml"))
TRAINED = [recipe for recipe in RECIPES if "trained_by" not in tomllib.loads(recipe.read_text(encoding="utf-8"))]
TOLERANCES = {
    **dict.fromkeys(("train_loss", "value", "null_odds", *(f"score{number}" for number in range(20))), 1e-4),
    "matrices": 1e-6,
    "vectors": 1e-5,
}
# A tag's probability, about 1/10, is written with four digits: the last may be rounded either way.
TOKEN_TOLERANCES = TOLERANCES | {f"score{number}": 2e-3 for number in range(20)}
CURVES = 1e-5
"""How far a curve may be off, as a share. Measured: 4e-7, of float32 from float64, which is what another order of sums
changes too."""

TRAINING, DEV, TEST = 213, 24, 5  # seven batches an epoch, the last one smaller
INFERENCE = ("entailment", "neutral", "contradiction")
PAIR = ("index", "sentence1", "sentence2")
MRPC = ("#1 ID", "#2 ID", "#1 String", "#2 String")
# folder: columns of the labelled files, its labels, columns of the test file.
GLUE: dict[str, tuple[tuple[str, ...], tuple[object, ...], tuple[str, ...]]] = {
    "SST-2": (("sentence", "label"), (0, 1), ("index", "sentence")),
    "MRPC": ((*MRPC, "Quality"), (0, 1), ("index", *MRPC)),
    "STS-B": ((*PAIR, "score"), (0.5, 2.0, 3.25, 4.75), PAIR),
    "QQP": (("id", "question1", "question2", "is_duplicate"), (0, 1), ("id", "question1", "question2")),
    "QNLI": (
        ("index", "question", "sentence", "label"),
        INFERENCE[:1] + ("not_entailment",),
        ("index", "question", "sentence"),
    ),
    "RTE": ((*PAIR, "label"), INFERENCE[:1] + ("not_entailment",), PAIR),
    "WNLI": ((*PAIR, "label"), (0, 1), PAIR),
    "MNLI": ((*PAIR, "gold_label"), INFERENCE, PAIR),
}


@pytest.mark.parametrize("recipe", RECIPES, ids=lambda recipe: recipe.stem)
def test_run_is_golden(
    recipe: Path, trained: Callable[[str], Path], data: Path, commands, weight_records, golden, tmp_path: Path
) -> None:
    task = tomllib.loads(recipe.read_text(encoding="utf-8"))
    if "trained_by" in task:
        model = ("--model", str(trained(task["trained_by"])))
        commands.must_answer("--task", recipe.stem, *model, "--data", str(data), "--output", str(tmp_path / "answers"))
        records = list(answers(tmp_path / "answers"))
    else:
        run = trained(recipe.stem)
        records = [*figures(run), *answers(run), *weight_records(run / "model" / "model.safetensors")]
    golden.check(f"finetuning/{recipe.stem}", records, TOKEN_TOLERANCES if task["kind"] == "token" else TOLERANCES)


def test_every_golden_run_has_its_recipe() -> None:
    golden = {path.stem for path in (Path(__file__).parent / "golden" / "finetuning").iterdir()}
    assert golden == {recipe.stem for recipe in RECIPES}


def figures(run: Path) -> Iterator[dict[str, Any]]:
    result = json.loads((run / "result.json").read_text())
    names = ("train_loss", "train_rows", "train_sequences", "dev_rows", "parameters", "model_fingerprint")
    yield {name: result[name] for name in names}
    yield {"metric": "majority", "value": result["majority_score"]}
    for name, value in result["metrics"].items():
        yield {"metric": name, "value": value}


def answers(folder: Path) -> Iterator[dict[str, Any]]:
    """A record for each row that was answered; of a span's candidates the best."""
    for file in sorted(folder.glob("predictions-*.jsonl")):
        for row in map(json.loads, file.read_text(encoding="utf-8").splitlines()):
            scores = row["scores"]
            scores = list(scores.values()) if isinstance(scores, dict) else scores
            answer = row["prediction"]
            if "null_odds" in row:
                shown, scores = {"answer": answer, "null_odds": row["null_odds"]}, scores[:1]
            elif isinstance(answer, float):  # the score says it
                shown = {}
            else:
                shown = {"answer": ",".join(answer) if isinstance(answer, list) else str(answer)}
            named = {f"score{number}": score for number, score in enumerate(scores)}
            record = {file.stem: row["id"], **shown, **named}
            yield {name: value.replace(" ", "_") if isinstance(value, str) else value for name, value in record.items()}


@pytest.mark.parametrize("recipe", TRAINED, ids=lambda recipe: recipe.stem)
def test_curves_are_golden_and_right(
    recipe: Path, data: Path, checkpoint: Path, golden, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    kind = tomllib.loads(recipe.read_text(encoding="utf-8"))["kind"]
    watched = Watched(monkeypatch)
    rows = {"limit_train": 24 if kind == "span" else 100, "limit_dev": TEST, "predict_test": False}
    places = {"model": str(checkpoint), "data": data, "output": tmp_path / "run"}
    run(RunSpec(task=recipe.stem, **places, **rows, save_model=True, device="cpu", threads=1))
    reference = masked_model(kind, checkpoint, watched.head, monkeypatch)
    start = {name: value.detach().clone() for name, value in reference.named_parameters()}
    for found, expected in zip(watched.steps, curve(reference, kind, watched.split), strict=True):
        assert asdict(found) == pytest.approx(asdict(expected), rel=CURVES)
    weights = load_file(tmp_path / "run" / "model" / "model.safetensors")
    for name, expected in reference.named_parameters():
        moved = expected.detach() - start[name]
        error = weights[name].double() - expected.detach()
        # Where it hardly moves its gradient is 0, as of what a softmax does not see, and rounding noise moves ours.
        if moved.abs().max() > 1e-9:
            # Not each number: Adam makes large steps of tiny gradients, too.
            assert error.norm() < 0.02 * moved.norm(), name
            if not name.endswith("bias"):
                # Rounding goes either way, but weight decay shrinks all of a tensor: here by 2e-6 of it.
                assert abs((error * start[name]).sum()) <= 3e-7 * start[name].square().sum(), name
    records = [{"step": number, **asdict(step)} for number, step in enumerate(watched.steps, start=1)]
    golden.check(f"curves/{recipe.stem}", records, dict.fromkeys(("rate", "loss", "norm"), CURVES))


class Watched:
    """What training begins with, and what it does at each step."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.steps: list[Step] = []
        monkeypatch.setattr(finetune, "train", self._train)

        def engine_for(*arguments: Any) -> LocalEngine:
            return WatchedEngine(self.steps, *arguments)

        monkeypatch.setattr(loop, "engine_for", engine_for)

    def _train(self, model: TaskModel, split: EncodedSplit, *others: Any) -> loop.Trained:
        self.split = split
        self.head = {name: value.clone() for name, value in model.head.state_dict().items()}
        return loop.train(model, split, *others)


class WatchedEngine(LocalEngine):
    def __init__(self, steps: list[Step], model: TaskModel, spec: RunSpec, count: int, ranks: Ranks) -> None:
        super().__init__(model, spec, count, ranks.device)
        self.found, self.loss = steps, 0.0

    def backward(self, loss: torch.Tensor, *, is_last: bool) -> None:
        self.loss += loss.item()
        super().backward(loss, is_last=is_last)

    def step(self, step: int) -> None:
        squares = [parameter.grad.double().square().sum() for parameter in self.parameters]
        norm = torch.stack(squares).sum().sqrt().item()
        super().step(step)
        (rate,) = {group["lr"] for group in self.optimiser.param_groups}
        self.found.append(Step(rate, self.loss, norm))
        self.loss = 0.0


@pytest.fixture(scope="module")
def checkpoint(corpus, write_checkpoint, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Its weights are large enough that what it answers hangs on what it reads."""
    folder = tmp_path_factory.mktemp("golden") / "checkpoint"
    return write_checkpoint(folder, corpus.vocabulary, width=32, intermediate=64, largest=0.3)


@pytest.fixture(scope="module")
def trained(data: Path, checkpoint: Path, commands, tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], Path]:
    """trained(task) → the folder of its run, which is made once."""
    root = tmp_path_factory.mktemp("golden")

    def trained(task: str) -> Path:
        if not (root / task).is_dir():
            files = ("--data", str(data), "--model", str(checkpoint), "--output", str(root / task))
            commands.must_finetune("--task", task, *files, "--save-model", "--threads", "1")
        return root / task

    return trained


class Text:
    """Sentences of made-up words: whole pieces of the vocabulary, and words that are cut into several."""

    def __init__(self, vocabulary: Path) -> None:
        pieces = vocabulary.read_text(encoding="utf-8").split()
        self.draw = random.Random(5)
        self.words = [piece for piece in pieces if piece.isalpha() and len(piece) > 3][:150] + ["quixotry", "zzyx"]

    def sentence(self, shortest: int = 3, longest: int = 12) -> str:
        return " ".join(self.draw.choices(self.words, k=self.draw.randint(shortest, longest))) + " ."


@pytest.fixture(scope="module")
def data(corpus, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the files of every task, in the benchmark's own layout."""
    root, text = tmp_path_factory.mktemp("golden") / "data", Text(corpus.vocabulary)
    write_cola(root / "CoLA", text)
    for name, (columns, labels, test_columns) in GLUE.items():
        write_glue(root / name, text, columns, labels, test_columns)
    for kind in ("dev", "test"):
        for side in ("matched", "mismatched"):
            (root / "MNLI" / f"{kind}_{side}.tsv").write_bytes((root / "MNLI" / f"{kind}.tsv").read_bytes())
    write_table(root / "diagnostic" / "diagnostic.tsv", [PAIR, *glue_rows(text, PAIR, (), TEST)])
    columns = ("Premise", "Hypothesis", "Label")
    write_table(root / "diagnostic" / "diagnostic-full.tsv", [columns, *glue_rows(text, columns, INFERENCE, DEV)])
    for version in ("v1.1", "v2.0"):
        write_squad(root / "squad" / f"train-{version}.json", text, version, paragraphs=57)
        write_squad(root / "squad" / f"dev-{version}.json", text, version, paragraphs=5)
    for name, rows in (("train", TRAINING), ("val", DEV), ("test", TEST)):
        write_swag(root / "SWAG" / f"{name}.csv", text, rows, labelled=name != "test")
    for name, rows in (("eng.train", TRAINING), ("eng.testa", DEV), ("eng.testb", TEST)):
        write_conll(root / "conll2003" / name, text, rows, "PRP B-NP ", ("O", "O", "I-LOC", "I-PER", "B-PER"))
    for name, rows in (("train.txt", TRAINING), ("test.txt", DEV)):
        write_conll(root / "conll2000" / name, text, rows, "PRP ", ("O", "B-NP", "I-NP", "B-VP"))
    for name, rows in (("train", TRAINING), ("dev", DEV), ("test", TEST)):
        write_goemotions(root / "goemotions" / f"{name}.jsonl", text, rows)
    return root


def write_table(path: Path, rows: Iterable[Iterable[object]]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join("\t".join(map(str, row)) + "\n" for row in rows), encoding="utf-8")


def write_cola(folder: Path, text: Text) -> None:
    for name, count in (("train", TRAINING), ("dev", DEV)):
        labels = text.draw.choices((0, 1), k=count)
        write_table(folder / f"{name}.tsv", [("gj04", label, "*" * (1 - label), text.sentence()) for label in labels])
    rows = [(number, text.sentence()) for number in range(TEST)]
    write_table(folder / "test.tsv", [("index", "sentence"), *rows])


def write_glue(
    folder: Path, text: Text, columns: tuple[str, ...], labels: tuple[object, ...], test_columns: tuple[str, ...]
) -> None:
    for name, count in (("train", TRAINING), ("dev", DEV)):
        write_table(folder / f"{name}.tsv", [columns, *glue_rows(text, columns, labels, count)])
    write_table(folder / "test.tsv", [test_columns, *glue_rows(text, test_columns, (), TEST)])


def glue_rows(text: Text, columns: tuple[str, ...], labels: tuple[object, ...], count: int) -> Iterator[list[object]]:
    """Numbers in the columns of identifiers, a label in the last column where there are labels, sentences elsewhere."""
    for number in range(count):
        row: list[object] = [number if name == "index" or "id" in name.lower() else text.sentence() for name in columns]
        yield [*row[:-1], text.draw.choice(labels)] if labels else row


def write_squad(path: Path, text: Text, version: str, paragraphs: int) -> None:
    """Paragraphs of one window and of several, three questions each; in version 2.0 every fourth has no answer."""
    content, number = [], 0
    for _ in range(paragraphs):
        context = " ".join(text.sentence() for _ in range(text.draw.randint(5, 50)))
        questions: list[dict[str, object]] = []
        for _ in range(3):
            number += 1
            start = text.draw.choice([0, *(place + 1 for place, letter in enumerate(context[:-30]) if letter == " ")])
            answer = " ".join(context[start:].split(" ")[: text.draw.randint(1, 4)])
            question: dict[str, object] = {"id": f"q{number}", "question": text.sentence()}
            is_impossible = version == "v2.0" and number % 4 == 0
            if version == "v2.0":
                question["is_impossible"] = is_impossible
            answers = [] if is_impossible else [{"text": answer, "answer_start": start}]
            questions.append({**question, "answers": answers})
        content.append({"context": context, "qas": questions})
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps({"version": version, "data": [{"title": "made up", "paragraphs": content}]}))


def write_swag(path: Path, text: Text, count: int, *, labelled: bool) -> None:
    columns = ["", "video-id", "fold-ind", "startphrase", "sent1", "sent2", "gold-source"]
    columns += [f"ending{number}" for number in range(4)] + ["label"] * labelled
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(columns)
        for number in range(count):
            first, second = text.sentence(), text.sentence(1, 3)
            row = [number, "v", 1, f"{first} {second}", first, second, "gold", *(text.sentence() for _ in range(4))]
            writer.writerow(row + [text.draw.randrange(4)] * labelled)


def write_conll(path: Path, text: Text, sentences: int, columns: str, tags: tuple[str, ...]) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    words = (text.sentence().split(" ") for _ in range(sentences))
    lines = ("".join(f"{word} {columns}{text.draw.choice(tags)}\n" for word in sentence) for sentence in words)
    path.write_text("-DOCSTART- -X- -X- O\n\n" + "\n".join(lines), encoding="utf-8")


def write_goemotions(path: Path, text: Text, count: int) -> None:
    """Rows with one, two and no label, as in the published files, each label with words of its own."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w", encoding="utf-8") as file:
        for number in range(count):
            labels = text.draw.choices(((), ("joy",), ("neutral",), ("love", "joy")), weights=(1, 4, 6, 2))[0]
            row = {"id": str(number), "text": " ".join((text.sentence(), *labels)), "labels": labels}
            file.write(json.dumps(row) + "\n")
