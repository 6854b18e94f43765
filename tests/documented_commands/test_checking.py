import shlex

import pytest

from tests.documented_commands.checking import problem_of
from tests.documented_commands.collecting import Command

RECIPE = "pretraining/recipes/bert-large-phase1.toml"
RIGHT = [
    "make demo WIKIPEDIA='a' BOOKS='b'",
    "make test-all",
    "python -m preprocessing.inspect data/shards --rows 3",
    "python -m preprocessing.download wikipedia --output dumps/",
    f"deepspeed --num_gpus 8 pretraining/main.py --config {RECIPE} --data.shards=S --output.folder=R",
    f"sbatch --nodes=8 cluster/slurm/pretrain.sbatch --config {RECIPE}",
    f"python -m pretraining.plan --config {RECIPE} --gpus 8 --gpu h100 --training.precision auto",
    "python -m finetuning.sweep --config sweep.toml --seeds 1,2",
    "python -m cluster.submit status chain.toml --watch",
    "beam run preprocessing/pipeline.py --engine dask --workers 2 --vocab v --output o",
    "beam run FILE --engine NAME",
    "python -m benchmarks.gpu --only PART",
    "python -c 'from benchmarks.synthetic_shards import write_shards'",
    "pip install -e '.[s3,dask]'",
    "python -m pytest tests/test_structure.py -k x",
    "docker build -t x .",
]
WRONG = [
    ("make fnord", "no target fnord"),
    ("make demo FNORD=1", "no variable FNORD"),
    ("python -m preprocessing.inspect data/shards --fnord 3", "has no option --fnord"),
    ("python -m preprocessing.inspect data/shards more", "no option more"),
    ("python -m preprocessing.download wikipedia --fnord", "has no option --fnord"),
    ("python -m preprocessing.fnord", "No module named"),
    (f"deepspeed pretraining/main.py --config {RECIPE} --data.fnord=S", "--data.fnord"),
    (f"deepspeed pretraining/main.py --config {RECIPE} --training.steps=0", "greater than or equal to 1"),
    ("deepspeed pretraining/fnord.py", "there is no pretraining/fnord.py"),
    ("sbatch cluster/slurm/fnord.sbatch", "there is no cluster/slurm/fnord.sbatch"),
    ("sbatch cluster/slurm/finetune.sbatch --fnord 1", "--fnord"),
    ("python -m finetuning.sweep --config sweep.toml --fnord 1", "--fnord"),
    ("python -m cluster.submit status chain.toml --fnord", "--fnord"),
    ("beam run preprocessing/pipeline.py --engine fnord", "invalid choice: 'fnord'"),
    ("beam run preprocessing/pipeline.py --fnord 1", "has an option --fnord"),
    ("beam run preprocessing/fnord.py", "there is no preprocessing/fnord.py"),
    ("python -c 'from benchmarks.synthetic_shards import fnord'", "has no fnord"),
    ("python -c 'from benchmarks.synthetic_shards import'", "invalid syntax"),
    ("pip install -e '.[fnord]'", "no extra fnord"),
    ("python -m pytest tests/test_fnord.py", "there is no tests/test_fnord.py"),
    ("fnord --x", "no way to check it"),
]


def command(line: str) -> Command:
    return Command("page.md", tuple(shlex.split(line)), True)


@pytest.mark.parametrize("line", RIGHT)
def test_what_is_right_passes(line: str) -> None:
    assert problem_of(command(line)) is None


@pytest.mark.parametrize(("line", "problem"), WRONG, ids=[line for line, _ in WRONG])
def test_what_is_wrong_is_noticed(line: str, problem: str) -> None:
    said = problem_of(command(line))
    assert said is not None
    assert problem in said
    assert said.startswith("page.md: ")
