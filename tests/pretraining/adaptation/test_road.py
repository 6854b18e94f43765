"""The order of the steps, what is passed over when the command is given again, and what it leaves; the commands
themselves are pretended (`tests/pretraining/test_adapt.py` runs them).
"""

import json
import shutil
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from preprocessing.shards import ShardSet
from preprocessing.tokens.tokenizer import Tokenizer
from pretraining.adaptation import road
from pretraining.adaptation.child_process import ChildProcesses
from pretraining.adaptation.options import read_options
from pretraining.configuration.recipe import recipe_of, recipe_parser
from pretraining.errors import PretrainingError, RetryablePretrainingError

ROWS = ["[CLS] the d ##o ##g . [SEP]", "[CLS] the c ##a ##t . the [SEP]"] * 5
SHARDS = ["the build of shards (your text)", "the build of shards (general text)"]
BEFORE = ["the evaluation (your text, before)", "the evaluation (general text, before)"]
AFTER = ["the training", "the evaluation (your text, after)", "the evaluation (general text, after)"]


@dataclass
class Pretended:
    """What commands leave, made at once."""

    shards_of: Callable[..., ShardSet]
    heldout: Sequence[str] = ("[CLS] the d ##o ##g . [SEP]",)
    ran: list[str] = field(default_factory=list)
    stops_at: str = ""
    status: str = "finished"
    made: int = 0

    def run(self, children: ChildProcesses, name: str, words: Sequence[str]) -> None:
        children.go_on()
        if name == self.stops_at:
            raise RetryablePretrainingError("stopped")
        self.ran.append(name)
        if "cluster.beam" in words:
            self._build(self._value(words, "--output"), self._value(words, "--vocab"))
        elif "pretraining.evaluate" in words:
            self._evaluate(Path(words[words.index("--output") + 1]), "after" in name)
        else:
            self._train(words)

    @staticmethod
    def _value(words: Sequence[str], option: str) -> Path:
        return Path(next(word for word in words if word.startswith(f"{option}=")).partition("=")[2])

    def _build(self, output: Path, vocabulary: Path) -> None:
        self.made += 1  # no two sets are alike
        rows = [*ROWS, *(["[CLS] . [SEP]"] * self.made)]
        found = self.shards_of(rows, self.heldout, name=f"{self.made}", tokenizer=Tokenizer.load(vocabulary))
        shutil.move(str(found.folder), output)

    @staticmethod
    def _evaluate(output: Path, after: bool) -> None:
        figures = {"mlm_loss": 2.0 - after, "mlm_accuracy": 0.5, "nsp_loss": 0.7, "nsp_accuracy": 0.5}
        output.parent.mkdir(exist_ok=True)
        output.write_text(json.dumps({"all": figures}))

    def _train(self, words: Sequence[str]) -> None:
        recipe = recipe_of(recipe_parser("", "").parse_args(words[2:]))
        folder = recipe.run_folder
        state = {"status": self.status, "step": recipe.training.steps}
        (folder / "state.json").write_text(json.dumps(state))
        (folder / "recipe.json").write_text(recipe.model_dump_json(by_alias=True))
        (folder / "metrics.jsonl").write_text("")
        if self.status == "finished":
            shutil.copytree(Path(recipe.init.from_ or ""), folder / "export")


@pytest.fixture
def pretended(shards_of: Callable[..., ShardSet], monkeypatch: pytest.MonkeyPatch) -> Pretended:
    one = Pretended(shards_of)
    monkeypatch.setattr(ChildProcesses, "run", lambda children, name, words: one.run(children, name, words))
    return one


@pytest.fixture
def adapt(model_folder: Path, tmp_path: Path) -> Callable[..., dict[str, Any]]:
    """adapt(*words) → adaptation.json in `tmp_path`/out."""

    def run(*words: str) -> dict[str, Any]:
        output = tmp_path / "out"
        start = ["--model", str(model_folder), "--text", "t", "--output", str(output), "--sequence-length", "32"]
        road.adapt(*read_options([*start, *words]))
        return dict(json.loads((output / "adaptation.json").read_text()))

    return run


Adapt = Callable[..., dict[str, Any]]
GENERAL = ("--replay", "general")


def test_the_steps_in_their_order(
    adapt: Adapt, pretended: Pretended, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    result = adapt(*GENERAL, "--replay-share", "0.5", "--training.batch_size", "4", "--epochs", "2")
    assert pretended.ran == [*SHARDS, *BEFORE, *AFTER]
    assert result["held_out"]["general text"]["before"]["mlm_loss"] == 2.0
    assert result["held_out"]["your text"]["after"]["mlm_loss"] == 1.0
    assert result["mixture"] == {"own": 11, "general": 12, "general_drawn": 11}
    assert (result["steps"], result["objective"], result["heldout_documents"]) == (11, "next-sentence", 1)
    assert (
        "| your text | masked tokens: loss, nats | 2.0000 | 1.0000 | -1.0000 |"
        in (tmp_path / "out" / "export" / "README.md").read_text()
    )
    said = capsys.readouterr().out
    assert "your text     masked tokens: loss, nats  2.0000  1.0000  -1.0000" in said
    assert f"The adapted model: {tmp_path / 'out' / 'export'}" in said
    pretended.ran.clear()
    adapt(*GENERAL, "--replay-share", "0.5", "--training.batch_size", "4", "--epochs", "2")
    assert pretended.ran == []
    assert "is complete already" in capsys.readouterr().out


@pytest.mark.parametrize("name", [*SHARDS, *BEFORE, *AFTER])
def test_stopped_anywhere_it_goes_on_there(adapt: Adapt, pretended: Pretended, name: str) -> None:
    pretended.stops_at = name
    with pytest.raises(RetryablePretrainingError):
        adapt(*GENERAL)
    pretended.stops_at = ""
    adapt(*GENERAL)
    assert pretended.ran == [*SHARDS, *BEFORE, *AFTER]  # each once


def test_a_training_that_did_not_finish(adapt: Adapt, pretended: Pretended) -> None:
    pretended.status = "interrupted"  # a launcher that says nothing of it
    with pytest.raises(RetryablePretrainingError, match="the training was stopped; the same command goes on"):
        adapt(*GENERAL)
    pretended.status = "finished"
    adapt(*GENERAL)
    assert pretended.ran[-4:] == ["the training", *AFTER]


def test_new_pieces(adapt: Adapt, pretended: Pretended, tmp_path: Path) -> None:
    result = adapt("--new-pieces", "5", *GENERAL)
    assert pretended.ran[0] == "the build of shards (your text, as the vocabulary cuts it now)"
    assert pretended.ran[1:] == [*SHARDS, *BEFORE, *AFTER]
    assert [word["word"] for word in result["new_pieces"]["words"]] == ["cat", "dog"]
    assert result["new_pieces"]["pieces_per_word"]["before"] == 2
    tokens = Tokenizer.load(tmp_path / "out" / "export").tokens
    assert [tokens[word["id"]] for word in result["new_pieces"]["words"]] == ["cat", "dog"]


def test_without_general_text(adapt: Adapt, pretended: Pretended) -> None:
    result = adapt()
    assert pretended.ran == [SHARDS[0], BEFORE[0], *AFTER[:2]]
    assert list(result["held_out"]) == ["your text"]
    assert result["mixture"]["general_drawn"] == 0


def test_general_text_without_held_out_examples(
    adapt: Adapt, shards_of: Callable[..., ShardSet], pretended: Pretended
) -> None:
    general = shards_of(ROWS, name="general").folder
    result = adapt("--replay", str(general))
    assert list(result["held_out"]) == ["your text"]
    assert result["mixture"]["general_drawn"] == 1


def test_shards_that_changed_are_refused(adapt: Adapt, pretended: Pretended, tmp_path: Path) -> None:
    pretended.stops_at = "the training"
    with pytest.raises(RetryablePretrainingError):
        adapt()
    shutil.rmtree(tmp_path / "out" / "shards")
    pretended.stops_at = ""
    with pytest.raises(PretrainingError, match="your text: the shards are not those that this adaptation began with"):
        adapt()


def test_nothing_held_out_may_be_corrected(adapt: Adapt, pretended: Pretended, tmp_path: Path) -> None:
    pretended.heldout = ()
    with pytest.raises(PretrainingError, match="was held out"):
        adapt()
    pretended.heldout = ("[CLS] the d ##o ##g . [SEP]",)
    adapt("--heldout-fraction", "0.3")
    assert pretended.ran.count(SHARDS[0]) == 2
    with pytest.raises(PretrainingError, match=r"other options \(heldout_fraction: 0.3 → 0.1\)"):
        adapt()
