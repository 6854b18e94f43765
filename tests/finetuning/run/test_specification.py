"""What a run may be asked: the bounds of every key, and what it is where it is left out."""

import argparse
import math
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from finetuning.run.specification import RunSpec, add_context, add_length

NEEDED: dict[str, Any] = {"task": "cola", "model": "m", "output": Path("o")}
# Key: what it is where it is left out, what it may be, what it may not.
KEYS: dict[str, tuple[Any, list[Any], list[Any]]] = {
    "data": (None, [Path("d")], [3]),
    "tokenizer": (None, [Path("t")], [3]),
    "random_weights": (False, [True], [3]),
    "learning_rate": (3e-5, [1e-9, 2.0], [0, -1e-5, math.inf, math.nan]),
    "batch_size": (32, [1], [0, 1.5]),
    "epochs": (3.0, [0.01], [0, -1, math.inf]),
    "seed": (1, [0], [-1]),
    "sequence_length": (None, [8, 512], [7]),
    "context": (None, ["sentence", "document"], ["page"]),
    "warmup_share": (0.1, [0, 1], [-0.01, 1.01]),
    "weight_decay": (0.01, [0], [-0.01]),
    "adam_beta1": (0.9, [0, 0.999], [-0.1, 1]),
    "adam_beta2": (0.999, [0, 0.99], [-0.1, 1]),
    "adam_epsilon": (1e-8, [1e-12], [0]),
    "bias_correction": (True, [False], [3]),
    "gradient_clip": (1.0, [0], [-1]),
    "dropout": (None, [0, 0.99], [-0.1, 1]),
    "micro_batch_pieces": (16384, [1], [0]),
    "group_by_length": (False, [True], [3]),
    "precision": ("auto", ["fp32", "tf32", "bf16"], ["fp16"]),
    "device": ("auto", ["cuda:1"], [3]),
    "threads": (None, [1], [0]),
    "skip_malformed": (False, [True], [3]),
    "limit_train": (None, [1], [0]),
    "limit_dev": (None, [1], [0]),
    "evaluate_every_epoch": (False, [True], [3]),
    "stop_failed_after": (None, [1], [0]),
    "predict_test": (True, [False], [3]),
    "save_model": (False, [True], [3]),
    "zero_stage": (0, [0, 2], [-1, 3]),
    "join_seconds": (300.0, [1, 86_400], [0.99, 86_401]),
}


def test_every_key_has_its_bounds() -> None:
    assert list(RunSpec.model_fields) == [*NEEDED, *KEYS]


@pytest.mark.parametrize("key", KEYS)
def test_what_a_key_may_be(key: str) -> None:
    usual, right, wrong = KEYS[key]
    assert getattr(RunSpec(**NEEDED), key) == usual
    for value in right:
        assert getattr(RunSpec(**NEEDED, **{key: value}), key) == value
    for value in wrong:
        with pytest.raises(ValidationError):
            RunSpec(**NEEDED, **{key: value})


def test_a_specification_stays_as_it_is_and_knows_its_keys() -> None:
    with pytest.raises(ValidationError, match="Extra inputs"):
        RunSpec(**NEEDED, rate=1)
    with pytest.raises(ValidationError, match="frozen"):
        RunSpec(**NEEDED).seed = 2  # type: ignore[misc]
    assert all(field.description for field in RunSpec.model_fields.values()), "the help of the command"
    for key in NEEDED:
        with pytest.raises(ValidationError, match="Field required"):
            RunSpec(**{name: value for name, value in NEEDED.items() if name != key})


def test_options_that_other_commands_have_too(capsys: pytest.CaptureFixture[str]) -> None:
    parser = argparse.ArgumentParser()
    add_length(parser, "the model's own")
    add_context(parser)
    assert vars(parser.parse_args([])) == {}
    for option in ("--max-length", "--sequence-length"):
        words = [option, "96", "--context", "document"]
        assert vars(parser.parse_args(words)) == {"sequence_length": 96, "context": "document"}
    assert parser.parse_args(["--context", "sentence"]).context == "sentence"
    for words in (["--context", "page"], ["--max-length", "x"]):
        with pytest.raises(SystemExit):
            parser.parse_args(words)
    help_text = " ".join(parser.format_help().split())
    assert "--sequence-length N" in help_text
    assert "the model's own" in help_text
