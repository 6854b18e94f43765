"""Every page in a real browser: nothing is loaded, nothing is too wide, all text can be read, by eye or by ear.

Pictures of all pages go to the folder that PAGE_PICTURES names, else to runs/screenshots.
"""

import json
import os
import random
from collections.abc import Callable, Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from cluster.chain.page import write_page
from cluster.chain.record import Record
from cluster.chain.road import read_chain
from cluster.chain.table import rows_of
from cluster.stages.chain import Marker, Stage
from cluster.demo.report import write_report as write_demo
from finetuning.atomic_file import write_json
from finetuning.reporting.content import build
from finetuning.reporting.page import write_report as write_scores
from finetuning.sweeps.config import SweepConfig
from preprocessing.pipeline import run as build_shards
from preprocessing.tokens.tokenizer import SPECIAL_TOKENS
from pretraining.configuration.tables import Recipe
from pretraining.model.config import BertConfig
from pretraining.run.report_page import write_report as write_run
from tests.cluster.chain.conftest import FINETUNE, RUN, MadeUp, made_up  # noqa: F401
from tests.cluster.demo.finished_demo import finish_demo
from tests.end_to_end.page_audit import browser, browser_path, faults
from tests.finetuning.conftest import write_result  # noqa: F401
from tests.preprocessing import small_build
from tests.pretraining.made_up_metrics import write_metrics

HOSTILE = "<script>alert('x')</script>"
BROWSER = browser_path()
needs_browser = pytest.mark.skipif(BROWSER is None, reason="no Chromium is on PATH (apt-get install chromium)")


@pytest.fixture(scope="module")
def started() -> Iterator[Any]:
    pytest.importorskip("playwright", reason="playwright is not installed (extra dev)")
    with browser(str(BROWSER)) as running:
        yield running


@pytest.fixture(scope="module")
def pictures() -> Path:
    folder = Path(os.environ.get("PAGE_PICTURES") or "runs/screenshots").absolute()
    folder.mkdir(parents=True, exist_ok=True)
    return folder


@pytest.fixture(scope="module")
def shards(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A small build of two sources, with titles that would be a script."""
    folder = tmp_path_factory.mktemp("data")
    draw = random.Random(5)
    words = [*small_build.WORDS, "<", ">", "script", ".", "/"]
    (folder / "vocab.txt").write_text("".join(f"{piece}\n" for piece in [*SPECIAL_TOKENS, *words]))
    rows = []
    for number in range(150):
        sentences = [" ".join(draw.choices(words, k=draw.randint(3, 12))) for _ in range(draw.randint(2, 7))]
        rows.append({"title": f"{HOSTILE} {number}", "text": "\n".join(sentences)})
    rows += rows[:7]  # duplicates
    (folder / "rows.jsonl").write_text("".join(f"{json.dumps(row)}\n" for row in rows) + '{"text": 3}\n')
    lines = "\n\n".join("\n".join(row["text"].split("\n")) for row in rows[20:60])
    (folder / "lines.txt").write_text(lines.replace("word1", "word2") + "\n")
    sources = ("--jsonlines", str(folder / "rows.jsonl"), "--sentences", str(folder / "lines.txt"))
    options = ("--vocab", str(folder / "vocab.txt"), "--output", str(folder / "shards"), *small_build.SMALL)
    assert build_shards([*sources, *options]) == 0
    return folder / "shards"


def data_page(shards: Path) -> Path:
    return shards / "report.html"


def run_page(folder: Path, shards: Path) -> Path:
    write_metrics(folder / "run", 600, HOSTILE)
    training = {"steps": 600, "batch_size": 8, "micro_batch_size": 8}
    recipe = Recipe.model_validate({"data": {"shards": str(shards), "sequence_length": 32}, "training": training})
    write_run(folder / "run", recipe, BertConfig.named("tiny"), ranks=2)
    return folder / "run" / "report.html"


def score_page(folder: Path, write: Callable[..., Path]) -> Path:
    """Two models on three tasks, of which one has figures of the paper; one run failed, one is missing."""
    tasks, models = ("mrpc", "rte", "cola"), {"pretrained": "models/a", "random": "models/b"}
    config = SweepConfig(models=models, tasks=tasks, output=str(folder), learning_rates=(1e-4, 3e-5), seeds=(1, 2, 3))
    write_json(folder / "sweep.json", config.model_dump(mode="json"))
    draw = random.Random(2)
    for task in tasks:
        for label in models:
            for rate in (1e-4, 3e-5):
                for seed in (1, 2, 3):
                    if (task, label, rate, seed) == ("rte", "random", 1e-4, 3):
                        continue
                    score = (0.8 if label == "pretrained" else 0.6) + draw.uniform(-0.05, 0.05)
                    fields: dict[str, Any] = {"seed": seed, "learning_rate": rate, "spec": {"model": models[label]}}
                    if (task, rate, seed) == ("cola", 1e-4, 1):
                        score, fields["failed_run"], fields["failure"] = 0.4, True, "constant"
                    run = write(folder / label / task / f"lr{rate:g}-{seed}", task=task, score=score, **fields)
                    rows = [
                        {"id": f"{HOSTILE}{number}", "label": "1", "prediction": "0", "scores": {"0": 0.6}}
                        for number in range(3)
                    ]
                    rows.append({"id": "9", "label": "0", "prediction": "0", "scores": {"0": 0.6}})
                    text = "".join(f"{json.dumps(row)}\n" for row in rows)
                    (run / "predictions-dev.jsonl").write_text(text)
    write_scores(build([folder]), folder)
    return folder / "report.html"


def demo_page(folder: Path, shards: Path, write: Callable[..., Path]) -> Path:
    finish_demo(folder, write, HOSTILE)
    for name in ("report.json", "report.html"):
        (folder / "shards" / name).write_text((shards / name).read_text())
    stages = [
        Stage(name, f"Stage {name}", ("beam", "run", f"/a/long/path/{name * 9}", HOSTILE), (), ())
        for name in ("text", "shards", "phase1")
    ]
    write_demo(folder, stages, {one.name: Marker("k", "complete", one.command, 1, 12.5) for one in stages})
    return folder / "report.html"


def chain_page(made_up: MadeUp) -> Path:  # noqa: F811
    made_up.write(RUN + FINETUNE)
    made_up.submit()
    made_up.finish("preprocess", 1)
    made_up.set_state(3, "FAILED", "NonZeroExitCode")
    now, record, chain = datetime(2026, 3, 4, 12), Record.read(made_up.output), read_chain(made_up.file)
    assert record is not None
    from cluster.chain import slurm

    rows = rows_of(chain, record, record.own(slurm.queue()), now)
    return write_page(made_up.output / "status.html", chain, rows, now, every=3600)


@pytest.fixture
def page(
    request: pytest.FixtureRequest,
    tmp_path: Path,
    write_result: Callable[..., Path],  # noqa: F811
) -> Path:
    """The page of the name that the test is given."""
    if request.param == "data":
        return data_page(request.getfixturevalue("shards"))
    if request.param == "run":
        return run_page(tmp_path, request.getfixturevalue("shards"))
    if request.param == "scores":
        return score_page(tmp_path / "sweep", write_result)
    if request.param == "demo":
        return demo_page(tmp_path / "demo", request.getfixturevalue("shards"), write_result)
    return chain_page(request.getfixturevalue("made_up"))


PAGES = ("data", "run", "scores", "demo", "chain")


@needs_browser
@pytest.mark.parametrize("page", PAGES, indirect=True, ids=PAGES)
def test_a_page_in_a_browser(page: Path, started: Any, pictures: Path, request: pytest.FixtureRequest) -> None:
    named = page.with_name(f"{request.node.callspec.id}.html")
    named.write_bytes(page.read_bytes())
    assert faults(started, named, pictures) == []


@pytest.mark.parametrize("page", PAGES, indirect=True, ids=PAGES)
def test_text_of_others_is_never_markup(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    assert "<script" not in text
    assert ("&lt;script&gt;" in text) == (page.stem != "status")


FAULTS = {
    "<img src=x.png alt=x>": "it loads",
    "<script>console.log('spoken')</script>": "console: spoken",
    "<h4>too deep</h4>": "is h4 after h1",
    "<p style='width: 100rem'>wide</p>": "reaches beyond the window",
    "<p style='color: #999; background: #fff'>pale</p>": 'contrast 2.85 of "pale"',
    "<figure><svg role=img></svg></figure>": "a figure without a text alternative",
    "<table><tr><th>name</th></tr></table>": "a table without a caption",
    "<a href='#gone'>link</a>": "a link to #gone",
    "<button style='outline: none'>press</button>": "nobody sees it",
}


SOUND = (
    "<!DOCTYPE html><html lang=en><title>Title</title><style>body { background: #fff; color: #000 } a { color: #00e }"
    ":focus-visible { outline: 3px solid }</style><header><h1>Title</h1></header>"
    "<main><a href='#a' id=a>link</a>{}</main>"
)


@needs_browser
@pytest.mark.parametrize("body", FAULTS, ids=range(len(FAULTS)))
def test_faults_are_noticed(body: str, started: Any, tmp_path: Path) -> None:
    file = tmp_path / "page.html"
    file.write_text(SOUND.replace("{}", body))
    assert FAULTS[body] in " ".join(faults(started, file, widths=(360,)))


@needs_browser
def test_a_sound_page_has_no_faults(started: Any, tmp_path: Path) -> None:
    file = tmp_path / "page.html"
    file.write_text(SOUND.replace("{}", ""))
    assert faults(started, file) == []
