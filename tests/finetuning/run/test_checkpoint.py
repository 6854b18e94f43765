"""A fine-tuned model is read as it was saved, by us and by transformers; what is damaged is one sentence."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from finetuning.errors import FinetuningError
from finetuning.kinds.loading import kind_of, load_task
from finetuning.kinds.model import TaskModel
from finetuning.run.checkpoint import FineTuned, load_fine_tuned, read_description, save_fine_tuned
from preprocessing.tokens.tokenizer import Tokenizer
from pretraining.model.bert import BertModel
from pretraining.model.config import BertConfig

LABELS = {"mnli": ("entailment", "neutral", "contradiction"), "conll2003": ("O", "B-X", "I-X")}
HEADS = {"squad2": "qa_outputs"}


@pytest.fixture
def saved(tmp_path: Path, tokenizer: Tokenizer, tiny_config: BertConfig) -> Callable[..., FineTuned]:
    """saved(task) → a model of random weights, which lies in the folder `model`."""

    def save(name: str, dtype: torch.dtype = torch.float32) -> FineTuned:
        torch.manual_seed(3)
        task = load_task(name)
        labels = LABELS.get(name, task.labels)
        model = TaskModel(BertModel(tiny_config), kind_of(task), len(labels)).to(dtype)
        torch.nn.init.normal_(model.head.bias)
        fine_tuned = FineTuned(model, tokenizer, task, labels, 96)
        save_fine_tuned(tmp_path / "model", fine_tuned)
        return fine_tuned

    return save


def without_pooler(model: TaskModel) -> dict[str, torch.Tensor]:
    return {name: tensor for name, tensor in model.state_dict().items() if "pooler" not in name}


@pytest.mark.parametrize("name", ["mnli", "stsb", "swag", "squad2", "conll2003", "goemotions"])
def test_a_model_is_read_as_it_was_saved(saved: Callable[..., FineTuned], tmp_path: Path, name: str) -> None:
    before = saved(name)
    names = {*(path.name for path in (tmp_path / "model").iterdir())}
    assert {"config.json", "model.safetensors", "task.json", "tokenizer.json", "vocab.txt"} <= names
    for folder in (tmp_path / "model", tmp_path):  # the run's folder holds it
        after = load_fine_tuned(folder)
        assert (after.task, after.labels, after.sequence_length) == (before.task, before.labels, 96)
        assert after.tokenizer.tokens == before.tokenizer.tokens
        assert not after.model.training
        uses_pooler = before.model.kind.uses_pooler
        pairs = [
            (model.state_dict() if uses_pooler else without_pooler(model)) for model in (before.model, after.model)
        ]
        assert pairs[0].keys() == pairs[1].keys()
        assert all(torch.equal(pairs[0][key], pairs[1][key]) for key in pairs[0])
    weights = load_file(tmp_path / "model" / "model.safetensors")
    assert any("pooler" in key for key in weights) == uses_pooler
    head = HEADS.get(name, "classifier")
    assert torch.equal(weights[f"{head}.weight"], before.model.head.weight)
    config = json.loads((tmp_path / "model" / "config.json").read_text())
    assert config["architectures"] == [before.model.kind.architecture]
    settings = before.model.kind.huggingface_settings(before.labels)
    assert {key: config[key] for key in settings} == settings


def test_transformers_read_it(saved: Callable[..., FineTuned], tmp_path: Path) -> None:
    import transformers

    before = saved("mnli")
    model, report = transformers.BertForSequenceClassification.from_pretrained(
        tmp_path / "model", output_loading_info=True
    )
    assert not any(report[key] for key in ("missing_keys", "unexpected_keys", "mismatched_keys"))
    assert torch.equal(model.classifier.weight, before.model.head.weight)
    assert model.config.id2label == dict(enumerate(LABELS["mnli"]))
    assert transformers.AutoTokenizer.from_pretrained(tmp_path / "model").model_max_length == 384


def test_half_precision_is_saved_in_full(saved: Callable[..., FineTuned], tmp_path: Path) -> None:
    before = saved("conll2003", torch.bfloat16)
    weights = load_file(tmp_path / "model" / "model.safetensors")
    assert {tensor.dtype for tensor in weights.values()} == {torch.float32}
    assert torch.equal(weights["classifier.bias"], before.model.head.bias.float())
    with safe_open(tmp_path / "model" / "model.safetensors", "pt") as file:
        assert file.metadata() == {"format": "pt"}  # by which transformers knows whose tensors they are


@pytest.mark.parametrize(
    ("change", "says"),
    [
        ({"classifier.weight": None}, r"bert\.classifier\.weight is missing, the task needs \[3, 32\]; save it again"),
        ({"classifier.bias": None}, r"bert\.classifier\.bias is missing, the task needs \[3\]"),
        ({"classifier.bias": torch.zeros(2)}, r"bert\.classifier\.bias is of shape \[2\], the task needs \[3\]"),
        ({"classifier.bias": torch.tensor([0.0, torch.nan, 0.0])}, r"1 of its weights hold NaN.* the first head\.bias"),
        ({"bert.pooler.dense.bias": None}, r"pooler"),
    ],
)
def test_weights_that_do_not_fit(
    saved: Callable[..., FineTuned], tmp_path: Path, change: dict[str, Any], says: str
) -> None:
    saved("mnli")
    path = tmp_path / "model" / "model.safetensors"
    weights = {key: tensor for key, tensor in (load_file(path) | change).items() if tensor is not None}
    save_file(weights, path, metadata={"format": "pt"})
    with pytest.raises(FinetuningError, match=says):
        load_fine_tuned(tmp_path)


@pytest.mark.parametrize("content", [b"{", b"[]", b"3", b"{}", b'{"task": {}}', b"\xff"])
def test_a_description_that_is_damaged(saved: Callable[..., FineTuned], tmp_path: Path, content: bytes) -> None:
    saved("mnli")
    (tmp_path / "model" / "task.json").write_bytes(content)
    with pytest.raises(FinetuningError, match=r"task\.json: "):
        read_description(tmp_path / "model")


@pytest.mark.parametrize("key", ["task", "labels", "sequence_length"])
def test_a_description_says_all_three(saved: Callable[..., FineTuned], tmp_path: Path, key: str) -> None:
    before, path = saved("mnli"), tmp_path / "model" / "task.json"
    assert read_description(path.parent) == (before.task, LABELS["mnli"], 96)
    content = json.loads(path.read_text())
    path.write_text(json.dumps({name: value for name, value in content.items() if name != key}))
    with pytest.raises(FinetuningError, match=rf"task\.json: damaged \(KeyError\('{key}'\)\); save the model again"):
        read_description(path.parent)


def test_a_folder_without_a_model(tmp_path: Path, model_folder: Path) -> None:
    for folder in (tmp_path, model_folder):
        with pytest.raises(FinetuningError, match=r"no task\.json there, so it is no fine-tuned model; run finetuning"):
            load_fine_tuned(folder)
