"""A small corpus of every kind, and the real commands on it as processes of their own."""

import bz2
import os
import random
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]
BEAM = str(Path(sys.executable).parent / "beam")
SPECIAL = ("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]")
LETTERS = "abcdefghijklmnopqrstuvwxyz"
ENVIRONMENT = {
    **os.environ,
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
    """The commands of preprocessing, each as real processes."""

    def build(self, *arguments: str, engine: str = "local", workers: int = 1) -> list[str]:
        """The command line of a build."""
        return [BEAM, "run", "preprocessing/pipeline.py", *arguments, "--engine", engine, "--workers", str(workers)]

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

    def must_build(self, *arguments: str, engine: str = "local", workers: int = 1) -> None:
        built = self.run(self.build(*arguments, engine=engine, workers=workers))
        assert built.returncode == 0, built.stderr

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
