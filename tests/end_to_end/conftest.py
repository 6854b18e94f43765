"""A small corpus of every kind, and the real commands on it as processes of their own."""

import bz2
import json
import math
import os
import random
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

REPOSITORY = Path(__file__).resolve().parents[2]
GOLDEN = Path(__file__).parent / "golden"
BEAM = str(Path(sys.executable).parent / "beam")
SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
LETTERS = "abcdefghijklmnopqrstuvwxyz"
LAUNCHER = ("RANK", "WORLD_SIZE", "LOCAL_RANK", "SLURM_NTASKS")  # no command is to take itself for a rank of others
ENVIRONMENT = {
    **{name: value for name, value in os.environ.items() if name not in LAUNCHER},
    "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ.get('PATH', '')}",  # Beam starts bare `python`
    "OMP_NUM_THREADS": "1",
}


@dataclass(frozen=True)
class Corpus:
    """Where the inputs lie, and the arguments that name them."""

    folder: Path

    @property
    def vocabulary(self) -> Path:
        return self.folder / "vocab.txt"

    def arguments(self, output: Path) -> list[str]:
        """Three sources, cut into a dozen splits and several buckets."""
        return [
            *("--wikipedia", str(self.folder / "*.xml.bz2"), "--sentences", str(self.folder / "lines.txt")),
            *("--jsonlines", str(self.folder / "rows.jsonl"), "--vocab", str(self.vocabulary), "--output", str(output)),
            *("--split-bytes", "20000", "--bucket-bytes", "60000", "--sequence-lengths", "32,64"),
            *("--duplicate-factor", "2", "--heldout-fraction", "0.05"),
        ]


def sentence(words: list[str], draw: random.Random) -> str:
    return " ".join(draw.choices(words, k=draw.randint(4, 14))).capitalize() + "."


def write_corpus(folder: Path, seed: int = 7) -> Corpus:
    """About 300 KB of text in made-up words, the dump in several bz2 streams."""
    draw = random.Random(seed)
    words = ["".join(draw.choices(LETTERS, k=draw.randint(2, 9))) for _ in range(800)]
    pieces = [*SPECIAL, *LETTERS, *(f"##{letter}" for letter in LETTERS), ".", ",", *sorted(set(words[:500]))]
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "vocab.txt").write_text("".join(f"{piece}\n" for piece in dict.fromkeys(pieces)))

    def document(sentences: int) -> list[str]:
        return [sentence(words, draw) for _ in range(sentences)]

    (folder / "lines.txt").write_text("\n\n".join("\n".join(document(draw.randint(6, 30))) for _ in range(80)) + "\n")
    rows = [f'{{"text": "{" ".join(document(20))}", "title": "row {number}"}}\n' for number in range(60)]
    (folder / "rows.jsonl").write_text("".join(rows + rows[:5]))  # five exact duplicates
    pages = [page(number, " ".join(document(25))) for number in range(1, 81)]
    streams = [dump_head(), *("".join(pages[start : start + 8]) for start in range(0, 80, 8)), "</mediawiki>\n"]
    (folder / "dump.xml.bz2").write_bytes(b"".join(bz2.compress(stream.encode()) for stream in streams))
    return Corpus(folder)


def dump_head() -> str:
    return (
        '<mediawiki xmlns="http://www.mediawiki.org/xml/export-0.11/" xml:lang="en"><siteinfo><namespaces>'
        '<namespace key="0" case="first-letter" /><namespace key="10" case="first-letter">Template</namespace>'
        "</namespaces></siteinfo>\n"
    )


def page(number: int, text: str) -> str:
    return (
        f"<page><title>Page {number}</title><ns>0</ns><id>{number}</id><revision><id>{number + 1000}</id>"
        f'<text xml:space="preserve">{text}</text></revision></page>\n'
    )


@pytest.fixture(scope="session")
def corpus(tmp_path_factory: pytest.TempPathFactory) -> Corpus:
    return write_corpus(tmp_path_factory.mktemp("corpus"))


class Commands:
    """The commands of every stage, each as real processes."""

    def __init__(self) -> None:
        self.repository, self.environment = REPOSITORY, ENVIRONMENT

    def build(self, *arguments: str, engine: str = "local", workers: int | None = 1) -> list[str]:
        """The command line of a build."""
        counted = [] if workers is None else ["--workers", str(workers)]
        return [BEAM, "run", "preprocessing/pipeline.py", *arguments, "--engine", engine, *counted]

    def run(self, command: list[str], **environment: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            command,
            capture_output=True,
            text=True,
            check=False,
            cwd=REPOSITORY,
            env=ENVIRONMENT | environment,
            timeout=300,
        )

    def must_build(self, *arguments: str, engine: str = "local", workers: int | None = 1) -> None:
        self._must(self.run(self.build(*arguments, engine=engine, workers=workers)))

    def must_train_vocabulary(self, *arguments: str) -> None:
        self._must(
            self.run([BEAM, "run", "preprocessing/vocabulary.py", *arguments, "--engine", "local", "--workers", "1"])
        )

    def must_pretrain(self, recipe: Path, *overrides: str) -> None:
        """One rank on the CPU."""
        command = [sys.executable, "pretraining/main.py", "--config", str(recipe), *overrides]
        self._must(self.run(command, CUDA_VISIBLE_DEVICES=""))

    def must_finetune(self, *arguments: str) -> None:
        """One rank on the CPU."""
        self._must(self.run([sys.executable, "-m", "finetuning.main", *arguments], CUDA_VISIBLE_DEVICES=""))

    def must_answer(self, *arguments: str) -> None:
        self._must(self.run([sys.executable, "-m", "finetuning.predict", *arguments], CUDA_VISIBLE_DEVICES=""))

    @staticmethod
    def _must(done: subprocess.CompletedProcess[str]) -> None:
        assert done.returncode == 0, done.stderr

    def fingerprint(self, folder: Path) -> str:
        """The last line of `verify`, which must be content with the folder."""
        verified = self.run([sys.executable, "-m", "preprocessing.verify", str(folder)])
        assert verified.returncode == 0, verified.stderr
        last = verified.stdout.splitlines()[-1]
        assert re.fullmatch("[0-9a-f]{64}", last)
        return last

    def kill_when(self, command: list[str], moment: Callable[[], bool]) -> None:
        """Starts `command` and kills it and its children with SIGKILL at `moment`."""
        process = subprocess.Popen(
            command,
            cwd=REPOSITORY,
            env=ENVIRONMENT,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            start_new_session=True,
        )
        try:
            deadline = time.monotonic() + 240
            while not moment():
                assert process.poll() is None, "the command ended before it could be killed"
                assert time.monotonic() < deadline, "the moment to kill it never came"
                time.sleep(0.002)
        finally:
            if process.poll() is None:
                os.killpg(process.pid, signal.SIGKILL)
            process.wait()


@pytest.fixture(scope="session")
def commands() -> Commands:
    return Commands()


Record = dict[str, str | int | float]


@dataclass(frozen=True)
class Golden:
    """Golden records in text files, a record a line, as `name=value name=value …`.

    Made anew by `python -m pytest --write-golden tests/end_to_end/test_golden_….py`, for a change that is meant to
    change them: then `git diff` shows what it changed, and the commit says why.
    """

    is_writing: bool

    def check(self, name: str, records: list[Record], tolerances: Mapping[str, float] | None = None) -> None:
        """Compares with `golden/NAME.txt`: every value exactly, but floats of the names in `tolerances` relatively."""
        path = GOLDEN / f"{name}.txt"
        lines = [" ".join(f"{key}={_text(value)}" for key, value in record.items()) for record in records]
        if self.is_writing:
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
            pytest.skip(f"wrote golden/{name}.txt, compared nothing")
        assert path.is_file(), f"no golden/{name}.txt: see Golden in {Path(__file__).name} for how to make it"
        expected = path.read_text(encoding="utf-8").splitlines()
        differences = [
            f"line {number}: golden {then!r}, now {now!r}"
            for number, (then, now) in enumerate(zip(expected, lines, strict=False), start=1)
            if not _agree(then, now, tolerances or {})
        ]
        if len(lines) != len(expected):
            differences.append(f"golden {len(expected)} lines, now {len(lines)}")
        assert not differences, f"{len(differences)} lines differ from golden/{name}.txt:\n" + "\n".join(
            differences[:20]
        )


def _text(value: str | int | float) -> str:
    return f"{value:.10g}" if isinstance(value, float) else str(value)


def _agree(then: str, now: str, tolerances: Mapping[str, float]) -> bool:
    left, right = ([part.partition("=") for part in line.split(" ")] for line in (then, now))
    if [name for name, _, _ in left] != [name for name, _, _ in right]:
        return False
    return all(
        math.isclose(float(old), float(new), rel_tol=tolerances[name]) if name in tolerances else old == new
        for (name, _, old), (_, _, new) in zip(left, right, strict=True)
    )


@pytest.fixture(scope="session")
def golden(request: pytest.FixtureRequest) -> Golden:
    return Golden(request.config.getoption("--write-golden"))


@pytest.fixture(scope="session", name="weight_records")
def _weight_records() -> Callable[[Path], Iterator[Record]]:
    return weight_records


@pytest.fixture(scope="session", name="write_checkpoint")
def _write_checkpoint() -> Callable[..., Path]:
    return write_checkpoint


def weight_records(file: Path) -> Iterator[Record]:
    """The norms of the weights of a Hugging Face model, by its parts: matrices and embeddings, biases and LayerNorm.

    Left out are biases that add the same to everything a softmax compares, of keys and of some heads: their gradient is
    rounding noise, and so is where they go.
    """
    squares: dict[str, list[float]] = {}
    for name, weight in sorted(load_file(file).items()):
        if not name.endswith(("key.bias", "classifier.bias", "qa_outputs.bias")):
            part = ".".join(name.split(".")[: 2 if name.startswith("bert.") else 1])
            squares.setdefault(part, [0.0, 0.0])[weight.ndim == 1] += float(np.square(weight.astype(np.float64)).sum())
    for part, (matrices, vectors) in squares.items():
        norms = {"matrices": math.sqrt(matrices), "vectors": math.sqrt(vectors)}
        yield {"weights": part, **{name: norm for name, norm in norms.items() if norm}}


def write_checkpoint(folder: Path, vocabulary: Path, *, width: int, intermediate: int, largest: float) -> Path:
    """A Hugging Face BERT of two layers with two attention heads.

    Its weights are Python's own random numbers up to ± `largest`, scaled: the same bits everywhere.
    """
    draw = random.Random(11)
    tokens = len(vocabulary.read_text(encoding="utf-8").splitlines())
    shapes: dict[str, tuple[int, ...]] = {
        "bert.embeddings.word_embeddings.weight": (tokens, width),
        "bert.embeddings.position_embeddings.weight": (512, width),
        "bert.embeddings.token_type_embeddings.weight": (2, width),
        "cls.predictions.bias": (tokens,),
    }
    linear = {"bert.pooler.dense": (width, width), "cls.predictions.transform.dense": (width, width)}
    linear["cls.seq_relationship"] = (2, width)
    norms = ["bert.embeddings.LayerNorm", "cls.predictions.transform.LayerNorm"]
    for layer in (f"bert.encoder.layer.{number}" for number in range(2)):
        linear |= {f"{layer}.attention.self.{part}": (width, width) for part in ("query", "key", "value")}
        linear |= {f"{layer}.attention.output.dense": (width, width), f"{layer}.output.dense": (width, intermediate)}
        linear[f"{layer}.intermediate.dense"] = (intermediate, width)
        norms += [f"{layer}.attention.output.LayerNorm", f"{layer}.output.LayerNorm"]
    for name, (outputs, inputs) in linear.items():
        shapes |= {f"{name}.weight": (outputs, inputs), f"{name}.bias": (outputs,)}
    for name in norms:
        shapes |= {f"{name}.weight": (width,), f"{name}.bias": (width,)}
    weights = {}
    for name, shape in shapes.items():
        around = 1.0 if name.endswith("LayerNorm.weight") else 0.0
        values = [around + largest * (2.0 * draw.random() - 1.0) for _ in range(math.prod(shape))]
        weights[name] = np.array(values, np.float32).reshape(shape)
    settings = {
        "model_type": "bert",
        "vocab_size": tokens,
        "hidden_size": width,
        "num_hidden_layers": 2,
        "num_attention_heads": 2,
        "intermediate_size": intermediate,
        "hidden_dropout_prob": 0.1,
        "attention_probs_dropout_prob": 0.1,
    }
    folder.mkdir(parents=True)
    save_file(weights, folder / "model.safetensors")
    (folder / "config.json").write_text(json.dumps(settings))
    (folder / "vocab.txt").write_bytes(vocabulary.read_bytes())
    return folder


@pytest.fixture(scope="session", name="write_raw_text")
def _write_raw_text() -> Callable[[Path], None]:
    return write_raw_text


def write_raw_text(folder: Path) -> None:
    """A dump below `wikipedia/` and books below `books/`, enough text for examples of 512 pieces."""
    draw = random.Random(11)
    words = ["".join(draw.choices(LETTERS, k=draw.randint(2, 9))) for _ in range(300)]
    pages = "".join(page(number, " ".join(sentence(words, draw) for _ in range(40))) for number in range(1, 61))
    (folder / "wikipedia").mkdir(parents=True)
    (folder / "books").mkdir()
    (folder / "wikipedia" / "dump.xml.bz2").write_bytes(bz2.compress(f"{dump_head()}{pages}</mediawiki>\n".encode()))
    for number in range(20):
        paragraphs = (" ".join(sentence(words, draw) for _ in range(8)) for _ in range(10))
        (folder / "books" / f"book{number}.txt").write_text("\n\n".join(paragraphs) + "\n")
