"""A chain on made-up files, and stand-ins for Slurm's commands that keep a list of jobs.

That a real Slurm does as they do is shown by `tests/slurm/test_chain.py`.
"""

import os
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest

from cluster.submit import main

COMMANDS = {
    # Each line of `jobs` is as squeue is asked for it. REFUSE: a word of a command that is refused.
    "sbatch": """
        if [[ "$*" == *--test-only* ]]; then
            [[ -n "${REFUSE:-}" && "$*" == *"$REFUSE"* ]] || exit 0
            echo "sbatch: error: invalid partition specified: $REFUSE" >&2; exit 1
        fi
        if [[ -n "${CRASH:-}" && "$*" == *"$CRASH"* ]]; then
            echo "sbatch: error: Unable to contact controller" >&2; exit 1
        fi
        for word in "$@"; do [[ $word != --job-name=* ]] || name=${word#--job-name=}; done
        number=$(($(wc -l < jobs) + 1))
        echo "$number|PENDING|None|N/A|N/A|$name" >> jobs
        env | grep -E '^(CODE_FOLDER|DONE_|SLURM_|SBATCH_|MINE|PIPELINE)' | sort > environment-$number
        echo "$number" """,
    "squeue": """env | grep ^SQUEUE_ >> calls
        [[ -z "${DEAF:-}" ]] || { echo "squeue: error: Socket timed out" >&2; exit 1; }
        cat jobs""",
    "scancel": """for number in "$@"; do sed -i "s/^$number|[A-Z_]*|[A-Za-z]*|/$number|CANCELLED|None|/" jobs; done""",
    "scontrol": "echo 'ClusterName             = made-up'",
}
RECIPE = """
[model]
size = "tiny"
[training]
steps = 20
batch_size = 8
micro_batch_size = 4
"""
RUN = """
[run]
output = "out"
[preprocess]
text = ["raw/*.txt"]
vocab = "vocab.txt"
sequence_lengths = [32, 64]
[phase1]
recipe = "recipe.toml"
data.sequence_length = 32
[phase2]
recipe = "recipe.toml"
data.sequence_length = 64
"""
FINETUNE = """
[finetune]
tasks = ["cola"]
data = "glue"
learning_rates = [1e-4]
seeds = [1, 2]
"""


@dataclass
class MadeUp:
    """A folder with everything that a chain needs; the current one. `run.toml` holds the chain."""

    folder: Path

    @property
    def file(self) -> Path:
        return self.folder / "run.toml"

    @property
    def output(self) -> Path:
        return self.folder / "out"

    def write(self, text: str) -> None:
        self.file.write_text(text)

    def change(self, old: str, new: str) -> None:
        text = self.file.read_text()
        assert old in text
        self.file.write_text(text.replace(old, new))

    def submit(self, *words: str) -> int:
        return main([*words, str(self.file)])

    def calls(self) -> list[str]:
        """The calls of sbatch and scancel, without questions."""
        lines = (self.folder / "calls").read_text().splitlines() if (self.folder / "calls").exists() else []
        return [line for line in lines if line.startswith(("sbatch", "scancel")) and "--test-only" not in line]

    def names(self) -> list[str]:
        """The stages in the order in which they were submitted."""
        words = [word for call in self.calls() for word in call.split() if word.startswith("--job-name=")]
        return [word.removeprefix("--job-name=").partition("-")[0] for word in words]

    def set_state(self, number: int, state: str, reason: str = "None") -> None:
        lines = (self.folder / "jobs").read_text().splitlines()
        fields = lines[number - 1].split("|")
        lines[number - 1] = "|".join([fields[0], state, reason, *fields[3:]])
        (self.folder / "jobs").write_text("".join(f"{line}\n" for line in lines))

    def finish(self, stage: str, number: int | None = None) -> None:
        """The files that a stage leaves; its job has ended."""
        leaves: Mapping[str, Mapping[str, str]] = {
            "preprocess": {"shards/manifest.json": "{}"},
            "verify": {"done/verify": "x"},
            "phase1": {"phase1/state.json": '{"status": "finished"}', "phase1/export/config.json": "{}"},
            "phase2": {"phase2/state.json": '{"status": "finished"}', "phase2/export/config.json": "{}"},
            "report": {"done/report": "x"},
        }
        for name, text in leaves[stage].items():
            (self.output / name).parent.mkdir(parents=True, exist_ok=True)
            (self.output / name).write_text(text)
        if number is not None:
            self.set_state(number, "COMPLETED")


@pytest.fixture
def made_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> MadeUp:
    commands = tmp_path / "bin"
    commands.mkdir()
    (tmp_path / "jobs").write_text("")
    for name, body in COMMANDS.items():
        bash = shutil.which("bash")
        (commands / name).write_text(f'#!{bash}\ncd {tmp_path}\necho {name} "$@" >> calls\n{body}\n')
        (commands / name).chmod(0o755)
    monkeypatch.setenv("PATH", f"{commands}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.chdir(tmp_path)
    (tmp_path / "raw").mkdir()
    (tmp_path / "raw" / "one.txt").write_text("Some text. More text.\n")
    (tmp_path / "vocab.txt").write_text("\n".join(("[PAD]", "[UNK]", "[CLS]", "[SEP]", "[MASK]", "some", "text")))
    (tmp_path / "glue").mkdir()
    (tmp_path / "recipe.toml").write_text(RECIPE)
    made = MadeUp(tmp_path)
    made.write(RUN)
    return made
