"""The report and the metrics file."""

import json
from html.parser import HTMLParser
from pathlib import Path

import pytest

from benchmarks.synthetic_shards import write_shards
from pages.scales import in_percent, short
from pretraining.configuration.tables import Recipe
from pretraining.data.unigram import unigram
from pretraining.model.config import BertConfig
from pretraining.run.metrics import MetricsLog, read_metrics
from pretraining.run.progress import describe
from pretraining.run.report_page import write_report
from tests.pretraining.made_up_metrics import write_metrics

RECIPE = Recipe.model_validate({"training": {"steps": 30, "batch_size": 8, "micro_batch_size": 8}})


def line(step: int) -> dict[str, object]:
    return {
        "step": step,
        "loss": 10.0 / step,
        "mlm_loss": 9.0 / step,
        "nsp_loss": 1.0 / step,
        "mlm_accuracy": step / 100,
        "nsp_accuracy": 0.5,
        "learning_rate": 1e-4,
        "tokens": 100 * step,
        "sequences": 8 * step,
        "seconds": 2.0 * step,
        "seconds_per_step": 2.0,
        "tokens_per_second": 50.0,
        "filler_share": 0.004,
        "padding_avoided_share": 0.1,
        "data_wait_share": 0.001,
        "mfu": None,
        "memory_bytes": 2**30,
    }


@pytest.fixture
def run(tmp_path: Path) -> Path:
    log = MetricsLog(tmp_path, tensorboard=False, resumed_step=0)
    for step in (0, 30):
        for source in ("all", "<books>"):
            figures = {"loss": 5.0, "mlm_loss": 4.5, "nsp_loss": 0.5, "mlm_accuracy": 0.3, "nsp_accuracy": 0.6}
            counts = {"masked_tokens": 10, "sequences": 20}
            errors = {"loss_error": 0.0123, "mlm_loss_error": 0.0101} if source == "all" and step else {}
            log.write({"event": "evaluation", "step": step, "source": source, **figures, **counts, **errors})
    for step in (10, 20, 30):
        log.write(line(step))
    log.close()
    return tmp_path


def test_report(run: Path) -> None:
    write_report(run, RECIPE, BertConfig.named("tiny"), ranks=2)
    page = (run / "report.html").read_text()
    HTMLParser().feed(page)
    assert page.count("<figure") == 4  # nothing is logged of the norm of the gradient
    assert '5.0000 ± 0.0123</td><td class="n">4.5000 ± 0.0101</td>' in page
    assert page.count(" ± ") == 2
    assert "&lt;books&gt;" in page
    assert "<books>" not in page
    assert "http" not in page
    report = json.loads((run / "report.json").read_text())
    assert report["summary"]["step"] == 30
    assert report["summary"]["tokens"] == 3000
    assert report["summary"]["held_out_last"]["mlm_accuracy"] == 0.3
    assert len(report["steps"]) == 3


def test_report_of_a_run_without_figures(tmp_path: Path) -> None:
    write_report(tmp_path, RECIPE, BertConfig.named("tiny"), ranks=1)
    assert "No held-out evaluation" in (tmp_path / "report.html").read_text()


def test_resuming_drops_what_will_come_again(run: Path) -> None:
    with (run / "metrics.jsonl").open("a") as file:
        file.write('{"step": 31, "loss": ')  # torn by a crash
    log = MetricsLog(run, tensorboard=False, resumed_step=20)
    log.write(line(21))
    log.close()
    lines = read_metrics(run / "metrics.jsonl")
    assert [entry["step"] for entry in lines] == [0, 0, 10, 20, 21]


def test_a_fresh_run_starts_an_empty_file(run: Path) -> None:
    MetricsLog(run, tensorboard=False, resumed_step=0).close()
    assert read_metrics(run / "metrics.jsonl") == []


def test_progress_line() -> None:
    text = describe(line(10), 30)
    for part in (
        "loss 1.000",
        "MLM 10.0%",
        "NSP 50.0%",
        "rate 1.00e-04",
        "50 tokens/s",
        "filler 0.40%  padding avoided 10%",
        "MFU –",
        "1.0 GiB",
    ):
        assert part in text
    assert "data wait 0.1%" in text
    assert "left 0:00:40" in text


def test_where_a_run_was_resumed_and_went_back_is_on_the_page(run: Path) -> None:
    with (run / "metrics.jsonl").open("a") as file:
        for event in (
            {"step": 10, "event": "remark", "sentence": "as <it> is"},
            {"step": 20, "event": "resumed"},
            {"step": 20, "event": "remark", "sentence": "as <it> is"},
            {"step": 20, "event": "resumed with other settings", "settings": {"training.seed": [1, 7]}},
            {"step": 20, "event": "rewind", "why": "ten bad steps", "passed_over": 10},
        ):
            file.write(json.dumps(event) + "\n")
    write_report(run, RECIPE, BertConfig.named("tiny"), ranks=1)
    page = (run / "report.html").read_text()
    assert page.count("resumed: step 20. went back: step 20.") == 2  # loss and accuracy
    assert page.count("as &lt;it&gt; is") == 1
    assert "{&#34;training.seed&#34;: [1, 7]}" in page
    assert "ten bad steps" in page
    assert "by frequency alone" not in page
    assert "mean of neighbouring steps" not in page


def test_the_plateau_is_that_of_the_shards(run: Path, tmp_path: Path) -> None:
    shards = write_shards(tmp_path / "shards", lengths=(32,), rows=40, shards=1)
    recipe = Recipe.model_validate(
        {**RECIPE.model_dump(by_alias=True), "data": {"shards": str(shards), "sequence_length": 32}}
    )
    write_report(run, recipe, BertConfig.named("tiny"), ranks=1)
    page, plateau = (run / "report.html").read_text(), unigram([shards], 32)
    assert plateau is not None
    assert f"by frequency alone: {short(plateau.loss)}." in page
    assert f"always the commonest piece: {in_percent(plateau.accuracy)}." in page


def test_a_long_run_says_that_points_are_means(tmp_path: Path) -> None:
    write_metrics(tmp_path / "long", 301)
    write_report(tmp_path / "long", RECIPE, BertConfig.named("tiny"), ranks=1)
    assert "mean of neighbouring steps" in (tmp_path / "long" / "report.html").read_text()
