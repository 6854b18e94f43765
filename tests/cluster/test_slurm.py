"""All scripts of `cluster/slurm/`: bash can parse them, sbatch their options."""

import re
import subprocess
from pathlib import Path

import pytest

SCRIPTS = ("preprocess.sbatch", "pretrain.sbatch", "finetune.sbatch", "command.sbatch")
LONG_OPTIONS = {
    *("job-name", "nodes", "ntasks", "ntasks-per-node", "gpus", "gpus-per-node", "cpus-per-task", "mem", "mem-per-cpu"),
    *("exclusive", "time", "signal", "requeue", "no-kill", "output", "open-mode"),
}


@pytest.mark.parametrize("script", [*SCRIPTS, "environment.sh", "lost_nodes.sh", "requeue.sh"])
def test_bash_can_parse_it(repository: Path, script: str) -> None:
    subprocess.run(["bash", "-n", repository / "cluster" / "slurm" / script], check=True)


@pytest.mark.parametrize("script", SCRIPTS)
def test_directives_are_options_of_sbatch(repository: Path, script: str) -> None:
    text = (repository / "cluster" / "slurm" / script).read_text()
    options = re.findall(r"^#SBATCH --([a-z-]+)", text, flags=re.MULTILINE)
    assert options
    assert set(options) <= LONG_OPTIONS
    # sbatch stops reading directives at the first command.
    assert text.rindex("#SBATCH") < text.index("set -euo pipefail")
