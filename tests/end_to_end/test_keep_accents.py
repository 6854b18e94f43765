"""What the warning of lost marks advises, followed to the end: vocabulary, shards, exported model, fine-tuning."""

import subprocess
import sys
from pathlib import Path

import pytest

from preprocessing.tokens.tokenizer import Tokenizer
from pretraining.model.bert import BertForPreTraining
from pretraining.model.config import BertConfig
from pretraining.model.huggingface import export_bert
from tests.end_to_end.conftest import ENVIRONMENT, REPOSITORY

pytestmark = pytest.mark.slow

LINES = ["दिल्ली भारत की राजधानी है।", "गंगा नदी उत्तर में बहती है।", "विद्यार्थी पुस्तक पढ़ते हैं।", "किसान खेत में काम करते हैं।"]


def run(command: str, folder: Path, *options: str) -> str:
    line = [sys.executable, f"preprocessing/{command}.py", "--sentences", str(folder / "hi.txt"), "--language", "hi"]
    done = subprocess.run([*line, *options], capture_output=True, text=True, env=ENVIRONMENT, cwd=REPOSITORY)
    assert done.returncode == 0, done.stderr
    return done.stdout + done.stderr


def test_the_advice_about_lost_marks_holds_to_the_end(tmp_path: Path) -> None:
    documents = ("\n".join(LINES[turn % 4 :] + LINES[: turn % 4] + [f"{turn}।"]) for turn in range(40))
    (tmp_path / "hi.txt").write_text("\n\n".join(documents), encoding="utf-8")
    size = ("--vocabulary-size", "300", "--output")
    assert "--keep-accents" in run("vocabulary", tmp_path, *size, str(tmp_path / "stripped"))
    assert "--keep-accents" not in run("vocabulary", tmp_path, "--keep-accents", *size, str(tmp_path / "kept"))
    options = ("--vocab", str(tmp_path / "kept"), "--sequence-lengths", "64", "--output", str(tmp_path / "shards"))
    assert "--keep-accents" not in run("pipeline", tmp_path, *options)

    shards = tmp_path / "shards" / "tokenizer"
    config = BertConfig(
        vocab_size=Tokenizer.load(shards).vocabulary_size,
        hidden_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=16,
    )
    (tmp_path / "model").mkdir()
    export_bert(BertForPreTraining(config), tmp_path / "model", shards)
    theirs = pytest.importorskip("transformers").AutoTokenizer.from_pretrained(tmp_path / "model")
    ours = Tokenizer.load(tmp_path / "model")
    ids, _ = ours.encode([LINES[2]])
    assert list(ids) == theirs(LINES[2], add_special_tokens=False)["input_ids"]
    assert theirs.decode(ids).replace(" ", "") == LINES[2].replace(" ", "")
