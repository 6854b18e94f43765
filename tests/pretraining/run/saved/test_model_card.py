"""The card of an export: what Hugging Face reads of it, what it says, and what it never touches."""

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
import transformers
from huggingface_hub import ModelCard

from benchmarks.synthetic_shards import write_shards
from pretraining.configuration.tables import Recipe
from pretraining.model.bert import BertForPreTraining
from pretraining.model.config import BertConfig
from pretraining.model_card.lineage import weights_hash
from pretraining.run.export_folder import write_export
from pretraining.run.saved.masked_words import MaskFiller
from pretraining.run.saved.model_card import describe_export

FIGURES = {"loss": 3.5, "mlm_loss": 3.0, "mlm_accuracy": 0.25, "nsp_loss": 0.5, "nsp_accuracy": 0.75}
ERRORS = {f"{key}_error": 0.0125 for key in FIGURES}
COUNTS = {"masked_tokens": 1234, "sequences": 60}


@pytest.fixture(scope="module")
def shards(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = write_shards(tmp_path_factory.mktemp("shards") / "a|b", rows=4, heldout_rows=4, shards=1)
    manifest = json.loads((folder / "manifest.json").read_text())
    manifest["configuration"] = {"source": {"language": "de"}, "examples": {"objective": "next-sentence"}}
    manifest["corpus"]["documents_by_source"] = {"books": 7, "wikipedia": 1900}
    manifest["corpus"]["tokens_by_source"] = {"books": 70_000, "wikipedia": 1_900_000}
    manifest["tally"]["counters"] = {"dropped.too_short": 41, "documents_in": 2000}
    (folder / "manifest.json").write_text(json.dumps(manifest))
    return folder


@pytest.fixture
def run(tmp_path: Path, shards: Path) -> Callable[..., Path]:
    """run(name, lines, **tables) → the folder of a run of these shards that wrote these lines of metrics."""

    def run(name: str, *lines: dict[str, Any], **tables: dict[str, Any]) -> Path:
        folder = tmp_path / name
        folder.mkdir()
        data = {"shards": [str(shards)], "sequence_length": 32}
        training = {"steps": 6, "batch_size": 8, "micro_batch_size": 4}
        settings = {"data": data, "training": training, "output": {"folder": str(folder)}}
        recipe = Recipe.model_validate(settings | tables)
        (folder / "recipe.json").write_text(recipe.model_dump_json(by_alias=True))
        logged = {"step": 6, "tokens": 12_345, "sequences": 48, "epoch": 0, "seconds": 3.2}
        (folder / "metrics.jsonl").write_text("".join(json.dumps(line) + "\n" for line in (logged, *lines)))
        return folder

    return run


@pytest.fixture
def export(tiny_config: Callable[[int, float], BertConfig], shards: Path) -> Callable[..., Path]:
    """export(run, step) → the run's export with random weights, described."""

    def export(run: Path, step: int = 6) -> Path:
        torch.manual_seed(3)
        model = BertForPreTraining(tiny_config(65, 0.1))
        target = run / "export"

        def describe(folder: Path) -> None:
            describe_export(folder, run, model.config, step, before=target)

        write_export(model.state_dict(), model, shards / "tokenizer", target, describe)
        return target

    return export


def evaluation(source: str = "all", step: int = 6, **changes: Any) -> dict[str, Any]:
    return {"event": "evaluation", "step": step, "source": source, **FIGURES, **ERRORS, **COUNTS, **changes}


Make = Callable[..., Path]


def test_hugging_face_reads_it(run: Make, export: Make) -> None:
    folder = export(run("one", evaluation(step=3, loss=9.0), evaluation(), evaluation("books", mlm_loss=None)))
    card = ModelCard.load(folder / "README.md")
    data = card.data.to_dict()
    assert data["language"] == ["de"]
    assert (data["license"], data["library_name"], data["pipeline_tag"]) == ("unknown", "transformers", "fill-mask")
    results = card.data.eval_results
    assert {result.metric_type: result.metric_value for result in results} == FIGURES
    assert {(result.dataset_name, result.dataset_split) for result in results} == {
        ("held-out documents, 32 tokens", "heldout")
    }


def test_the_code_in_it_runs(run: Make, export: Make, caplog: pytest.LogCaptureFixture) -> None:
    folder = export(run("one", evaluation()))
    code = (folder / "README.md").read_text().split("```python\n")[1].split("\n```")[0]
    names: dict[str, Any] = {}
    exec(code.replace("FOLDER", str(folder)).replace("Paris is the", "w1 w2"), names)
    filler = MaskFiller.load(folder, torch.device("cpu"))
    (ours,) = filler.fill([filler.read("w1 w2 [MASK] of France.", "the text")], 5)[0]
    assert [answer["token"] for answer in names["answers"]] == [filling.token for filling in ours]
    scores = [answer["score"] for answer in names["answers"]]
    assert scores == pytest.approx([filling.score for filling in ours], abs=1e-5)
    assert type(names["both_heads"]).__name__ == "BertForPreTraining"
    assert len(set(scores)) == 5


def test_it_loads_without_a_warning(run: Make, export: Make, caplog: pytest.LogCaptureFixture, tmp_path: Path) -> None:
    folder = export(run("one"))
    with caplog.at_level("WARNING"):
        model, report = transformers.AutoModelForPreTraining.from_pretrained(folder, output_loading_info=True)
        tokenizer = transformers.AutoTokenizer.from_pretrained(folder)
    assert not any(report.values())
    assert [record.message for record in caplog.records if record.name.startswith("transformers")] == []
    assert (tokenizer.model_max_length, tokenizer.do_lower_case) == (32, True)
    assert {path.name for path in folder.iterdir()} == {
        *("README.md", "lineage.json", "config.json", "model.safetensors"),
        *("tokenizer.json", "tokenizer_config.json", "vocab.txt"),
    }
    with torch.no_grad():
        output = model(**tokenizer("w1 w2", "w3", return_tensors="pt"))
    assert output.seq_relationship_logits.shape == (1, 2)


def test_it_says_what_the_run_knows(run: Make, export: Make, shards: Path) -> None:
    lines = (evaluation(), evaluation("books", mlm_loss=None), {"event": "rewind", "step": 5, "why": "a|bad <loss>"})
    text = (export(run("one", *lines)) / "README.md").read_text(encoding="utf-8")
    for said in (
        "| masked tokens: loss, nats | 3.0000 ± 0.0125 | – |",
        "| examples | 60 | 60 |",
        "| wikipedia | 1,900 | 1,900,000 | 0 |",
        "| dropped: too\\_short | 41 |",
        "| tokens seen | 12,345 |",
        "| started from | random weights |",
        '| 5 | rewind | "a\\|bad \\<loss\\>" |',
        "a\\|b:",
        '"batch_size": 8',
    ):
        assert said in text, said
    assert json.loads((shards / "manifest.json").read_text())["tokenizer_fingerprint"] in text


def test_the_same_run_has_the_same_card(run: Make, export: Make) -> None:
    folder = run("one", evaluation())
    first = (export(folder) / "README.md").read_bytes()
    assert (export(folder) / "README.md").read_bytes() == first


def test_a_step_that_was_not_evaluated_has_no_figures(run: Make, export: Make) -> None:
    folder = export(run("one", evaluation()), step=3)
    assert "Not measured at this step" in (folder / "README.md").read_text()
    assert ModelCard.load(folder / "README.md").data.eval_results is None


def test_lineage_goes_on_from_the_run_before(run: Make, export: Make, shards: Path, tmp_path: Path) -> None:
    first = export(run("one", evaluation()))
    second = run("two", init={"from": str(tmp_path / "one")})
    steps = json.loads((export(second) / "lineage.json").read_text())["steps"]
    assert [step["run"] for step in steps] == [str(tmp_path / "one"), str(second)]
    assert steps[0]["weights"] == weights_hash(first)
    text = (second / "export" / "README.md").read_text()
    assert steps[0]["weights"] in text
    shutil.rmtree(first)
    steps = json.loads((export(second) / "lineage.json").read_text())["steps"]
    assert [step["step"] for step in steps] == ["no longer there", "pretraining"]


def test_shards_that_are_gone_and_objectives_without_pairs(
    run: Make, export: Make, tmp_path: Path, shards: Path
) -> None:
    folder = run("one", evaluation(), data={"shards": [str(tmp_path / "gone")], "sequence_length": 32})
    assert "no longer there when this card was written" in (export(folder) / "README.md").read_text()
    other = tmp_path / "other"
    shutil.copytree(shards, other)
    content = (other / "manifest.json").read_text().replace('"next-sentence"', '"none"')
    (other / "manifest.json").write_text(content)
    folder = export(run("two", evaluation(), data={"shards": [str(other)], "sequence_length": 32}))
    metrics = [result.metric_type for result in ModelCard.load(folder / "README.md").data.eval_results]
    assert metrics == ["mlm_loss", "mlm_accuracy"]


def test_what_somebody_wrote_stays(run: Make, export: Make, caplog: pytest.LogCaptureFixture) -> None:
    folder = run("one", evaluation())
    card = export(folder) / "README.md"
    ours = card.read_text()
    card.write_text(ours.replace("unknown", "mit"))
    export(folder)
    assert card.read_text() == ours.replace("unknown", "mit")
    assert (folder / "export" / "MODEL_CARD.md").read_text() == ours
    assert "was edited, and stays as it is" in caplog.text
    (folder / "export" / "MODEL_CARD.md").write_text("mine too\n")
    export(folder)
    assert (folder / "export" / "MODEL_CARD.md").read_text() == "mine too\n"
    assert card.read_text() == ours.replace("unknown", "mit")


def test_a_section_of_ones_own_and_the_same_steps_again(run: Make, export: Make) -> None:
    folder = export(run("one", evaluation()))
    before = json.loads((folder / "lineage.json").read_text())
    model = BertConfig.load(folder)
    describe_export(folder, folder.parent, model, 6, before=folder, sections=(("Before and after", "| a |"),))
    card = (folder / "README.md").read_text()
    assert card.index("## Held-out figures") < card.index("## Before and after\n\n| a |") < card.index("## Data")
    assert json.loads((folder / "lineage.json").read_text()) == before
    (folder / "README.md").write_text(card + "mine")
    describe_export(folder, folder.parent, model, 6, before=folder, sections=(("Other", "| b |"),))
    assert (folder / "README.md").read_text() == card + "mine"
    assert "## Other" in (folder / "MODEL_CARD.md").read_text()
