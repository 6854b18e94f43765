"""The commands of the README and of `docs/shards.md`, in their order and as they are written, on a little text.

What is not as written stands in `SMALLER`: numbers of a cluster and of BERT-Large; and the folders `data`, `runs` and
`shards` lie in a temporary one. What needs a network or Slurm, or is
the demo's, is left out by `tests/documented_commands/register.toml`, which says why.
"""

import random
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from preprocessing.shards import read_table
from tests.documented_commands.collecting import Command, commands_of, program_of

pytestmark = pytest.mark.slow

PHASE = " --model.size=tiny --training.steps=2 --training.batch_size=8 --training.micro_batch_size=4"
PHASE += " --schedule.warmup_steps=1 --evaluation.examples=16"
SMALLER = {
    "--vocabulary-size 30522": "--vocabulary-size 400",
    "--num_gpus 8": "--num_gpus 1",
    "--output.folder=runs/phase1": f"--output.folder=runs/phase1{PHASE}",
    "--output.folder=runs/phase2": f"--output.folder=runs/phase2{PHASE}",
    "--step 7000": "--step 2",
    "--tasks cola,rte,mrpc": "--tasks rte",
    "--learning-rates 5e-5,3e-5": "--learning-rates 3e-5",
    "--seeds 1,2,3,4,5": "--seeds 1,2",
    "runs/demo/phase2": "runs/phase2",
    "part-00000-of-00004.arrow 17": "part-00000-of-00001.arrow ROW",
    "--input 'dumps/*.bz2'": "--input 'data/wikipedia/*.bz2'",
}
"""What is written, and what is run."""
PROGRAMS = (
    *("beam run preprocessing/vocabulary.py", "beam run preprocessing/pipeline.py", "deepspeed pretraining/main.py"),
    *(f"python -m preprocessing.{name}" for name in ("verify", "inspect", "explain", "report", "export")),
    *(f"python -m pretraining.{name}" for name in ("plan", "report", "export", "evaluate", "fill_mask")),
    *(f"python -m finetuning.{name}" for name in ("main", "sweep", "report")),
)
FOLDER = re.compile(r"(?<![\w/.])(?=(?:data|runs|shards|parquet)/)")


def written(repository: Path) -> list[Command]:
    """The commands that are run, in their order; that of the demo's model comes last, when there is a model."""
    readme = [command for command in commands_of(repository / "README.md") if command.in_block]
    found = [command for command in readme if " ".join(program_of(command.words)[0]) in PROGRAMS]
    found.sort(key=lambda command: "runs/demo" in " ".join(command.words))
    shards = [command for command in commands_of(repository / "docs" / "shards.md") if command.in_block]
    return [*found, *shards]


def smaller(command: Command, place: Path) -> list[str]:
    line = shlex.join(command.words)
    for old, new in SMALLER.items():
        line = line.replace(old, new)
    words = [FOLDER.sub(f"{place}/", word) for word in shlex.split(line)]
    return [str(row_of_wikipedia(place / "shards")) if word == "ROW" else word for word in words]


def row_of_wikipedia(shards: Path) -> int:
    """An example whose segments both lie in the dump."""
    rows = read_table(shards / "train" / "128" / "part-00000-of-00001.arrow").to_pylist()
    documents = read_table(shards / "documents" / "part-00000-of-00001.arrow").column("source").to_pylist()
    sources = ({documents[row["document_a"]], documents[row["document_b"]]} for row in rows)
    return next(number for number, found in enumerate(sources) if found == {"wikipedia"})


@pytest.fixture
def place(tmp_path: Path, write_raw_text) -> Path:
    """A folder with a little of everything that the commands read."""
    write_raw_text(tmp_path / "data")
    draw = random.Random(3)
    words = [f"word{number}" for number in range(50)]
    rte = tmp_path / "data" / "glue" / "RTE"
    rte.mkdir(parents=True)
    for split, count in (("train", 16), ("dev", 8), ("test", 4)):
        rows = [["index", "sentence1", "sentence2", *(["label"] if split != "test" else [])]]
        for number in range(count):
            label = ["entailment", "not_entailment"][number % 2 :][:1] if split != "test" else []
            rows.append([str(number), *(" ".join(draw.choices(words, k=6)) for _ in range(2)), *label])
        (rte / f"{split}.tsv").write_text("".join("\t".join(row) + "\n" for row in rows))
    (tmp_path / "shards").symlink_to(tmp_path / "data" / "shards")
    return tmp_path


@pytest.mark.timeout(1800)  # some twenty-five processes, one after the other
def test_the_road(place: Path, repository: Path, commands) -> None:
    done = []
    for command in written(repository):
        words = smaller(command, place)
        start = [sys.executable] if words[0] == "python" else [str(Path(sys.executable).parent / words[0])]
        ran = subprocess.run(
            [*start, *words[1:]],
            cwd=repository,
            env={**commands.environment, "CUDA_VISIBLE_DEVICES": ""},
            capture_output=True,
            text=True,
            timeout=300,
        )
        assert ran.returncode == 0, f"{shlex.join(words)}\n{ran.stdout[-2000:]}\n{ran.stderr[-4000:]}"
        done.append(" ".join(program_of(command.words)[0]))
    assert set(done) == set(PROGRAMS)
    left = ("data/shards/report.html", "runs/phase1/report.html", "runs/phase2/export/model.safetensors")
    left += ("runs/step7000/model.safetensors", "runs/rte/result.json", "runs/glue/report.html", "parquet")
    assert [name for name in left if not (place / name).exists()] == []


def test_everything_that_is_made_smaller_is_written(repository: Path) -> None:
    lines = "\n".join(shlex.join(command.words) for command in written(repository))
    assert [old for old in SMALLER if old not in lines] == []
