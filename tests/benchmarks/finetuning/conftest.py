"""The tiny BERT and the hand-made data of fine-tuning's own tests."""

from collections.abc import Callable
from pathlib import Path

import pytest

from benchmarks.finetuning.comparisons import COMPARISONS
from benchmarks.finetuning.options import Options
from benchmarks.finetuning.plan import Plan, plan
from tests.finetuning.conftest import _one_thread, benchmark_data, model_folder, tiny_config, tokenizer, vocabulary

__all__ = ["_one_thread", "benchmark_data", "model_folder", "tiny_config", "tokenizer", "vocabulary"]


@pytest.fixture(scope="session")
def data(benchmark_data: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The hand-made data, laid out as `--data` wants them; three folders of COMPARISONS are missing."""
    folder = tmp_path_factory.mktemp("laid-out")
    (folder / "glue").symlink_to(benchmark_data)
    for name in ("squad", "conll2000"):
        (folder / name).symlink_to(benchmark_data / name)
    sentences = folder / "sentences" / "questions"
    sentences.mkdir(parents=True)
    for name in ("train", "dev"):
        rows = "".join(f"who ran {number} ?\t{'HUM' if number % 2 else 'NUM'}\n" for number in range(12))
        (sentences / f"{name}.tsv").write_text("sentence\tlabel\n" + rows)
    return folder


@pytest.fixture
def planned(data: Path, model_folder: Path, tmp_path: Path) -> Callable[..., Plan]:
    """planned(name, **options): the plan of one comparison, with the tiny model and few rows."""

    def plan_of(name: str, **options: object) -> Plan:
        given = {"data": data, "output": tmp_path / "output", "limit_train": 8, "limit_dev": 4, **options}
        return plan(name, COMPARISONS[name], model_folder, Options.model_validate(given))

    return plan_of
