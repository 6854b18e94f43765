"""The commands: their help, and options from a file."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from finetuning.errors import FinetuningError
from finetuning.main import parse_spec

COMMANDS = ("main", "sweep", "report", "predict", "features", "bilstm", "submission")


@pytest.mark.parametrize("command", COMMANDS)
def test_help_needs_no_torch(command: str, repository: Path) -> None:
    program = f"""import sys
from finetuning.{command} import main
try:
    main(["--help"])
except SystemExit as ended:
    assert "torch" not in sys.modules
    sys.exit(ended.code)
sys.exit(9)"""
    run = subprocess.run([sys.executable, "-c", program], cwd=repository, capture_output=True, text=True, check=False)
    assert (run.returncode, run.stderr) == (0, "")
    assert run.stdout.startswith(f"usage: python -m finetuning.{command}")


def test_a_run_from_a_file(write_lines: Callable[..., Path]) -> None:
    path = write_lines("run.toml", 'task = "cola"', 'model = "m"', "seed = 2", "sequence_length = 64")
    spec, _ = parse_spec(["--config", str(path), "--seed", "3", "--output", "o", "--local_rank=1"])
    assert (spec.task, spec.seed, spec.sequence_length, spec.output) == ("cola", 3, 64, Path("o"))
    path.write_text("sequence_lenght = 3\n")
    with pytest.raises(FinetuningError, match=r"unknown key 'sequence_lenght'; did you mean sequence_length\?"):
        parse_spec(["--config", str(path)])


def test_every_option_has_a_help_text() -> None:
    from finetuning.run.specification import RunSpec
    from finetuning.sweeps.config import SweepConfig

    for model in (RunSpec, SweepConfig):
        assert [name for name, field in model.model_fields.items() if not field.description] == []


@pytest.mark.parametrize("words", [["--epochs", "inf"], ["--learning-rate", "inf"], ["--gradient-clip", "inf"]])
def test_a_number_without_end_is_refused(words: list[str]) -> None:
    with pytest.raises(FinetuningError, match=f"{words[0]} inf: input should be a finite number"):
        parse_spec(["--task", "cola", "--model", "m", "--output", "o", *words])
