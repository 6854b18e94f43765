"""An export takes the place of an earlier one when it is complete, and touches nothing else."""

from pathlib import Path

import pytest

from pretraining.model.bert import BertForPreTraining
from pretraining.model.config import BertConfig
from pretraining.run import export_folder
from pretraining.run.export_folder import write_export


def contents(folder: Path) -> set[str]:
    return {str(path.relative_to(folder)) for path in folder.rglob("*") if path.is_file()}


def test_neighbours_of_similar_names_stay(
    tmp_path: Path, small_config: BertConfig, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`export.old` and `export.tmp` beside it may well be somebody's own."""
    model = BertForPreTraining(small_config)
    tokenizer = tmp_path / "tokenizer"
    tokenizer.mkdir()
    (tokenizer / "vocab.txt").write_text("[PAD]\n")
    theirs = {"export.old/a", "export.tmp/b", ".export.notes/c", ".export.building-x/d", "export2/e"}
    for name in theirs:
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("mine")
    for name in (".export.building-1", ".export.replaced-22"):  # of exports that were killed
        (tmp_path / name).mkdir()
    for _ in range(2):
        write_export(model.state_dict(), model, tokenizer, tmp_path / "export")
        ours = {
            "tokenizer/vocab.txt",
            *(f"export/{name}" for name in ("config.json", "model.safetensors", "vocab.txt")),
        }
        assert theirs | ours == contents(tmp_path)
    monkeypatch.setattr(export_folder, "export_state", lambda *_: pytest.fail("no space"))
    with pytest.raises(pytest.fail.Exception):
        write_export(model.state_dict(), model, tokenizer, tmp_path / "export")
    assert theirs | ours <= contents(tmp_path)
