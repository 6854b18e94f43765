"""The demo's parts that need no training: its chain, its corpus, its task, its report."""

import json
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from cluster.demo.report import spread, write_report
from cluster.demo.road import main, stages
from cluster.demo.sample_corpus import BOOKS_SHA256, write_sample
from cluster.errors import ClusterError
from cluster.stages.chain import Marker


def test_every_output_lies_below_the_demo_folder(tmp_path: Path) -> None:
    for stage in stages(tmp_path, None, None):
        assert all(output.is_relative_to(tmp_path) for output in stage.outputs)


def test_own_text_replaces_the_sample(tmp_path: Path) -> None:
    (tmp_path / "mine.txt").write_text("text")
    chain = stages(tmp_path / "run", None, str(tmp_path / "*.txt"))
    assert "corpus" not in {stage.name for stage in chain}
    assert all("--wikipedia" not in stage.command for stage in chain)
    assert chain[0].inputs == (tmp_path / "mine.txt",)


def test_own_text_that_is_not_there_is_said(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--output", str(tmp_path / "run"), "--books", str(tmp_path / "*.txt")]) == 2
    assert "matches no file" in capsys.readouterr().err


def test_a_text_that_changed_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("cluster.demo.sample_corpus._dump", lambda: b"another dump")
    with pytest.raises(ClusterError, match="SHA-256"):
        write_sample(tmp_path)
    assert not list(tmp_path.rglob("*.bz2"))


@pytest.mark.slow
def test_the_sample_comes_from_its_packages(tmp_path: Path) -> None:
    pytest.importorskip("gensim", reason="the demo extra is not installed")
    subprocess.run([sys.executable, "-m", "cluster.demo.sample_corpus", "--output", tmp_path], check=True)
    assert {file.name for file in (tmp_path / "books").iterdir()} == set(BOOKS_SHA256)
    assert len(list((tmp_path / "wikipedia").glob("*.bz2"))) == 1


@pytest.fixture
def finished_demo(tmp_path: Path) -> Path:
    """What a demo leaves behind, with figures made by hand."""

    def write(name: str, content: object) -> None:
        file = tmp_path / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(content if isinstance(content, str) else json.dumps(content))

    figures = {"loss": 5.0, "mlm_accuracy": 0.25, "nsp_accuracy": 0.75, "sequences": 10}
    for phase in ("phase1", "phase2"):
        lines = [
            {
                "event": "evaluation",
                "step": 0,
                "source": "books",
                "loss": 1.0,
                "mlm_accuracy": 1.0,
                "nsp_accuracy": 1.0,
            },
            {"event": "evaluation", "step": 0, "source": "all", **figures, "loss": 10.0, "mlm_accuracy": 0.0},
            {"step": 1, "loss": 9.0, "mlm_accuracy": 0.1},
            {"step": 2, "loss": 8.0, "mlm_accuracy": 0.2},
        ]
        write(f"{phase}/metrics.jsonl", "".join(json.dumps(line) + "\n" for line in lines))
    write("evaluation-128.json", {"all": figures})
    write("evaluation-512.json", {"all": {**figures, "mlm_accuracy": 0.3}})
    for model, scores in {"runs/export": (0.8, 0.6), "random:c.json": (0.5, 0.5)}.items():
        for seed, score in enumerate(scores):
            run = {"model": model, "seed": seed, "score": score, "metric": "accuracy", "majority_score": 0.51}
            write(f"finetuning/{model[:3]}-{seed}/result.json", {**run, "train_rows": 70, "dev_rows": 30})
    sources = {"books": {"documents": 2, "sentences": 5, "tokens": 50, "unknown_share": 0.001}}
    documents = {"in": 3, "out": 2, "heldout": 1, "dropped": {"too_short": 1}}
    write("shards/report.json", {"sources": sources, "documents": documents})
    return tmp_path


def test_the_report_says_what_the_stages_left(finished_demo: Path) -> None:
    chain = stages(finished_demo, None, None)
    markers = {stage.name: Marker("key", "complete", stage.command, 1, 2.0) for stage in chain}
    lines = write_report(finished_demo, chain, markers)
    summary = json.loads((finished_demo / "summary.json").read_text())
    assert summary["loss_start"] == 10.0
    assert summary["loss_end"] == 5.0
    assert (summary["mlm_accuracy_start"], summary["mlm_accuracy_end"]) == (0.0, 0.25)
    assert summary["nsp_accuracy_end"] == 0.75
    assert summary["task_score_pretrained"] == pytest.approx(0.7)
    assert summary["task_score_random"] == pytest.approx(0.5)
    assert summary["seconds"]["phase1"] == 2.0
    assert summary["seconds"]["total"] == 2.0 * len(chain)
    page = (finished_demo / "report.html").read_text()
    assert "0.700 ± 0.141 over 2 seeds" in page
    assert "0.700 ± 0.141 over 2 seeds" in lines
    assert "<svg" in page


def test_a_report_without_the_runs_of_one_model_is_refused(finished_demo: Path) -> None:
    for file in (finished_demo / "finetuning").glob("ran*/result.json"):
        file.unlink()
    with pytest.raises(ClusterError, match="lacks the runs"):
        write_report(finished_demo, [], {})


def test_spread_of_one_seed_has_no_deviation() -> None:
    assert spread([0.5]) == "0.500 over 1 seeds"


def test_names_of_stages_are_unique(tmp_path: Path) -> None:
    assert set(Counter(stage.name for stage in stages(tmp_path, None, None)).values()) == {1}
