"""The whole road through `cluster.submit` on a real Slurm of two nodes: from a raw dump and books to a report.

On real text where it lies beside the repository, on made-up text elsewhere.
"""

import bz2
import json
import random
import re
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

pytestmark = [pytest.mark.slow, pytest.mark.root, pytest.mark.slurm, pytest.mark.timeout(1800)]

STAGES = ("vocabulary", "preprocess", "verify", "phase1", "phase2", "finetune", "report")
SLURM = """
[slurm]
nodes = 1
cpus-per-task = 1
mem = "1500M"
time = 60
variables = { PREFLIGHT = "0", LOOK_SECONDS = "1", REQUEUE_SECONDS = "2" }
[slurm.finetune]
mem = false
mem-per-cpu = "1500M"
[slurm.phase1]
nodes = 2
gpus-per-node = 1
[slurm.phase2]
nodes = 2
gpus-per-node = 1
"""
ROAD = """
[vocabulary]
vocabulary_size = 1000
[preprocess]
wikipedia = ["RAW/wikipedia/*.bz2"]
books = ["RAW/books/*.txt"]
sequence_lengths = [32, 64]
duplicate_factor = 1
heldout_fraction = 0.1
[phase1]
recipe = "RAW/phase.toml"
data.sequence_length = 32
training.steps = 30
[phase2]
recipe = "RAW/phase.toml"
data.sequence_length = 64
training.steps = 10
[finetune]
tasks = ["cola"]
data = "RAW/glue"
learning_rates = [1e-3]
batch_sizes = [16]
epochs = [1]
seeds = [1, 2]
sequence_length = 32
options = { threads = 1 }
jobs = 2
"""
RECIPE = """
[model]
size = "tiny"
hidden_size = 32
num_attention_heads = 2
intermediate_size = 64
[training]
batch_size = 16
micro_batch_size = 8
steps = 10
precision = "fp32"
[evaluation]
examples = 16
[checkpoint]
every = 5
[output]
log_every = 1
tensorboard = false
peak_tflops = 1.0
"""


def made_up_texts(folder: Path) -> None:
    """A dump, books and a task of sentences that no one would say."""
    draws = random.Random(1)
    words = ["".join(draws.choice("bdfglmnprst") + draws.choice("aeiou") for _ in range(n % 3 + 1)) for n in range(300)]

    def paragraph() -> str:
        return " ".join(" ".join(draws.choices(words, k=9)).capitalize() + "." for _ in range(8))

    page = "<page><title>T{0}</title><ns>0</ns><id>{0}</id><revision><id>{0}</id><text>{1}</text></revision></page>"
    pages = "".join(page.format(number, f"{paragraph()}\n\n{paragraph()}") for number in range(1, 81))
    head = '<mediawiki xmlns="http://www.mediawiki.org/xml/export-0.11/" xml:lang="en">'
    (folder / "wikipedia" / "dump.xml.bz2").write_bytes(bz2.compress(f"{head}{pages}</mediawiki>".encode()))
    for number in range(6):
        (folder / "books" / f"{number}.txt").write_text("\n\n".join(paragraph() for _ in range(12)))
    for name, rows in (("train", 96), ("dev", 48)):
        lines = [f"made\t{row % 2}\t\t{' '.join(draws.choices(words, k=6))}\n" for row in range(rows)]
        (folder / "glue" / "CoLA" / f"{name}.tsv").write_text("".join(lines))


def real_texts(folder: Path, data: Path) -> None:
    """An excerpt of Wikipedia, a book, and some rows of CoLA."""
    shutil.copy(data / "wikipedia" / "enwiki-sample-pages-articles.xml.bz2", folder / "wikipedia")
    shutil.copy(data / "books" / "northangerabbey.txt", folder / "books")
    for name, rows in (("train", 96), ("dev", 48)):
        lines = (data / "glue" / "CoLA" / f"{name}.tsv").read_text().splitlines(keepends=True)[:rows]
        (folder / "glue" / "CoLA" / f"{name}.tsv").write_text("".join(lines))


class Road:
    """A chain's file, and `cluster.submit` with it."""

    def __init__(self, cluster: Any, name: str, tables: str, raw: Path) -> None:
        self.cluster, self.output, self.file = cluster, cluster.folder / name, cluster.folder / f"{name}.toml"
        text = f'[run]\noutput = "{self.output}"\n{SLURM}{tables}'
        self.file.write_text(text.replace("RAW", str(raw)))

    def start(self, *words: str) -> "subprocess.Popen[str]":
        command = [sys.executable, "-m", "cluster.submit", *words, str(self.file)]
        pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
        # Not from the checkout, which is not where jobs find their code.
        return subprocess.Popen(command, cwd=self.cluster.folder, env=self.cluster.environment, text=True, **pipes)

    def submit(self, *words: str) -> str:
        """What the command says, which ends well."""
        process = self.start(*words)
        said, complaint = process.communicate()
        assert process.returncode == 0, complaint
        return said

    def jobs(self) -> dict[str, str]:
        """The newest job of each stage."""
        submissions = json.loads((self.output / "chain.json").read_text())["submissions"]
        return {one["stage"]: one["job"] for one in submissions}

    def state(self, stage: str) -> str:
        said = self.cluster.ask("scontrol", "-o", "show", "job", self.jobs()[stage])
        return str(re.findall(r"JobState=(\S+)", said)[0])

    def wait(self, condition: Callable[[], bool], seconds: float = 1500.0) -> None:
        deadline = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < deadline, self.said()
            time.sleep(0.5)

    def said(self) -> str:
        logs = sorted((self.output / "logs").glob("*.log"))
        return self.submit("status") + "\n".join(f"{log.name}:\n{log.read_text()}" for log in logs)

    def ended(self) -> bool:
        return not self.cluster.ask("squeue", "--noheader", f"--jobs={','.join(self.jobs().values())}")


@pytest.fixture(scope="module")
def raw(cluster: Any, repository: Path) -> Path:
    folder = Path(cluster.folder / "raw")
    for name in ("wikipedia", "books", "glue/CoLA"):
        (folder / name).mkdir(parents=True)
    data = repository.parent / "shared" / "data"
    real_texts(folder, data) if data.is_dir() else made_up_texts(folder)
    (folder / "phase.toml").write_text(RECIPE)
    return folder


@pytest.fixture(scope="module")
def road(cluster: Any, raw: Path) -> Iterator[Road]:
    """The whole chain, complete; phase 1 was put back into the queue in its middle."""
    road = Road(cluster, "road", ROAD, raw)
    assert "phase2=$(" in road.submit("--dry-run")
    assert not (road.output / "chain.json").exists()
    # Two people press the button at the same time.
    both = [road.start(), road.start()]
    said = sorted("".join(process.communicate()) for process in both)
    assert [process.returncode for process in both] == [0, 0], said
    assert sum("nothing to submit" in text for text in said) == 1, said
    road.wait(lambda: (road.output / "phase1" / "checkpoints" / "latest").exists() or road.ended())
    assert road.state("phase1") == "RUNNING", road.said()
    cluster.ask("scontrol", "requeue", road.jobs()["phase1"])
    assert road.state("phase2") == "PENDING"
    road.wait(road.ended)
    return road


def mtimes(folder: Path) -> dict[str, int]:
    """Of what the stages made; not of what is looked at or locked."""
    left_out = ("chain.json", "chain.lock")
    files = [path for path in folder.rglob("*") if path.is_file() and path.name not in left_out]
    return {str(path): path.stat().st_mtime_ns for path in files if "__pycache__" not in path.parts}


def test_the_whole_road_leads_to_a_report(road: Road) -> None:
    assert list(road.jobs()) == list(STAGES)
    assert {stage: road.state(stage) for stage in STAGES} == dict.fromkeys(STAGES, "COMPLETED"), road.said()
    report = json.loads((road.output / "finetune" / "report.json").read_text())
    assert not report["missing_runs"]
    assert len(list((road.output / "finetune").glob("road/cola/*/result.json"))) == 2
    described = road.cluster.ask("scontrol", "-o", "show", "job", road.jobs()["phase1"])
    assert " Restarts=1 " in described
    said = road.submit("status")
    assert said.count("complete") == len(STAGES), said
    assert "2 of 2 runs" in said


def test_run_again_nothing_is_done_twice(road: Road) -> None:
    before, jobs = mtimes(road.output), road.jobs()
    assert "nothing to submit" in road.submit()
    assert (mtimes(road.output), road.jobs()) == (before, jobs)


def test_more_seeds_are_the_only_new_runs(road: Road) -> None:
    """And the report is made anew; then the chain is complete again."""
    before = mtimes(road.output / "finetune" / "road")
    road.file.write_text(road.file.read_text().replace("seeds = [1, 2]", "seeds = [1, 2, 3]"))
    said = road.submit()
    assert re.findall(r"^(\w+): job", said, flags=re.MULTILINE) == ["finetune", "report"]
    road.wait(road.ended)
    after = mtimes(road.output / "finetune" / "road")
    assert {name: after[name] for name in before} == before
    assert "3 of 3 runs" in road.submit("status")
    assert "nothing to submit" in road.submit()


def test_a_stage_that_fails_ends_what_waits_for_it_and_is_made_alone_when_mended(
    cluster: Any, road: Road, raw: Path
) -> None:
    """Then the chain is cancelled, and a job beside it is not."""
    tables = ROAD.replace("[vocabulary]\nvocabulary_size = 1000\n", "")
    tables = tables.replace("[preprocess]", f'[preprocess]\nvocab = "{road.output}/vocabulary"')
    other = Road(cluster, "other", tables, raw)
    other.submit()
    (other.output / "phase1").write_text("a file where a folder is to be")
    other.wait(other.ended)
    states = {stage: other.state(stage) for stage in other.jobs()}
    done = dict.fromkeys(("preprocess", "verify"), "COMPLETED")
    assert states == {**done, "phase1": "FAILED", **dict.fromkeys(("phase2", "finetune", "report"), "CANCELLED")}
    said = other.submit("status")
    assert "failed" in said
    assert said.count("not started") == 3
    before, first = mtimes(other.output / "shards"), other.jobs()
    (other.output / "phase1").unlink()
    bystander = cluster.ask("sbatch", "--parsable", "--hold", "--output=/dev/null", "--wrap", "sleep 1").strip()
    again = re.findall(r"^(\w+): job", other.submit(), flags=re.MULTILINE)
    assert again == ["phase1", "phase2", "finetune", "report"]
    assert {stage: other.jobs()[stage] for stage in done} == {stage: first[stage] for stage in done}
    assert other.submit("cancel").count("cancelled") == 4
    other.wait(other.ended)
    assert mtimes(other.output / "shards") == before
    assert "no job of this chain" in other.submit("cancel")
    assert "PENDING" in cluster.ask("squeue", "--noheader", "--format=%T", f"--jobs={bystander}")
    cluster.ask("scancel", bystander)
    assert re.findall(r"^(\w+): job", other.submit(), flags=re.MULTILINE) == again
    other.submit("cancel")


def test_what_slurm_would_refuse_is_said_before_anything_is_submitted(cluster: Any, road: Road, raw: Path) -> None:
    wrong = Road(cluster, "wrong", ROAD, raw)
    text = wrong.file.read_text().replace("[slurm.phase2]\n", '[slurm.phase2]\npartition = "nowhere"\n')
    wrong.file.write_text(text)
    process = wrong.start()
    _, complaint = process.communicate()
    assert process.returncode == 2
    assert "[slurm] for phase2: sbatch failed" in complaint
    assert "nowhere" in complaint
    assert len(complaint.splitlines()) == 1
    assert not (wrong.output / "chain.json").exists()
