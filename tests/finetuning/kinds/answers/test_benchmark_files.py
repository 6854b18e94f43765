"""The files that GLUE's server and SQuAD's scripts read, byte by byte."""

import json
from pathlib import Path

from finetuning.kinds.answers.benchmark_files import SUBMISSION_FOLDER, write_glue_file, write_squad_files
from finetuning.kinds.answers.predictions import Prediction


def test_a_glue_file_is_a_table_with_its_header(tmp_path: Path) -> None:
    path = write_glue_file(tmp_path / SUBMISSION_FOLDER / "RTE.tsv", [("0", "entailment"), ("7", "not_entailment")])
    assert path == tmp_path / "submission" / "RTE.tsv"
    assert path.read_bytes() == b"index\tprediction\n0\tentailment\n7\tnot_entailment\n"


def test_squad_files(tmp_path: Path) -> None:
    predictions = [
        Prediction("q1", [], "", {"": 0.75, "caf\u00e9": 0.25}, null_odds=1.5, best_span="caf\u00e9"),
        Prediction("q2", ["a"], "a", {"a": 1.0}, null_odds=-2.0, best_span="a"),
    ]
    files = write_squad_files(tmp_path, "dev", predictions, unanswerable=True)
    assert files == [
        tmp_path / f"squad-dev-{name}.json" for name in ("predictions", "nbest", "null-odds", "best-spans")
    ]
    answers, n_best, odds, spans = (json.loads(file.read_text(encoding="utf-8")) for file in files)
    assert answers == {"q1": "", "q2": "a"}
    assert n_best == {
        "q1": [{"text": "", "probability": 0.75}, {"text": "caf\u00e9", "probability": 0.25}],
        "q2": [{"text": "a", "probability": 1.0}],
    }
    assert odds == {"q1": 1.5, "q2": -2.0}
    assert spans == {"q1": "caf\u00e9", "q2": "a"}
    # Twenty texts a question are many lines: this file has one.
    assert [len(file.read_text(encoding="utf-8").splitlines()) > 1 for file in files] == [True, False, True, True]


def test_squad_1_has_no_odds_of_no_answer(tmp_path: Path) -> None:
    files = write_squad_files(tmp_path, "test", [Prediction("q", None, "a", {"a": 1.0})], unanswerable=False)
    assert [file.name for file in files] == ["squad-test-predictions.json", "squad-test-nbest.json"]
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(file.name for file in files)
