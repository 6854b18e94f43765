"""Linear layers in FP8: where they are refused; and, with rounding emulated, what they compute and leave as it is."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from pretraining.configuration.tables import Recipe
from pretraining.errors import PretrainingError
from pretraining.model import fp8_linear
from pretraining.model.bert import BertForPreTraining
from pretraining.model.config import BertConfig
from pretraining.model.fp8_linear import require_fp8, use_fp8
from pretraining.model.huggingface import export_bert, import_bert
from pretraining.model.packing import PackedBatch
from pretraining.optimization.optimizers import build_optimizer

MakeBatch = Callable[..., PackedBatch]


@pytest.fixture
def pair(small_config: BertConfig) -> tuple[BertForPreTraining, BertForPreTraining]:
    """A model, and the same with its products in emulated FP8."""
    pytest.importorskip("torchao")
    config = small_config.model_copy(update={"initializer_range": 0.1})
    plain, rounded = BertForPreTraining(config), BertForPreTraining(config)
    rounded.load_state_dict(plain.state_dict())
    use_fp8(rounded.bert, emulate=True)
    return plain, rounded


def mean_loss(model: BertForPreTraining, batch: PackedBatch) -> torch.Tensor:
    sums = model(batch)
    return sums.loss(sums.masked_tokens, sums.sequences)


def test_the_encoder_and_nothing_else_is_replaced(pair: tuple[BertForPreTraining, BertForPreTraining]) -> None:
    plain, rounded = pair
    kinds = {name: type(part).__name__ for name, part in rounded.named_modules() if isinstance(part, torch.nn.Linear)}
    replaced = {name for name, kind in kinds.items() if kind == "Float8Linear"}
    parts = ("attention.qkv", "attention.output", "feed_forward.intermediate", "feed_forward.output")
    assert replaced == {f"bert.layers.{layer}.{part}" for layer in range(2) for part in parts}
    assert set(kinds) - replaced == {"bert.pooler.dense", "mlm_head.dense", "nsp_head"}
    assert list(rounded.state_dict()) == list(plain.state_dict())
    assert all(value.dtype == torch.float32 for value in rounded.state_dict().values())
    # LAMB asks parameters how many matrices they hold.
    assert all(layer.attention.qkv.weight.stacked == 3 for layer in rounded.bert.layers)


def test_twenty_steps_learn_as_much(pair: tuple[BertForPreTraining, BertForPreTraining], make_batch: MakeBatch) -> None:
    batch, ends = make_batch([40, 30, 20]), []
    settings = Recipe.model_validate({"training": {"steps": 20, "batch_size": 8, "micro_batch_size": 8}}).optimizer
    for model in pair:
        optimizer = build_optimizer(model, settings.model_copy(update={"learning_rate": 3e-3}))
        first = mean_loss(model, batch).item()
        for _ in range(20):
            mean_loss(model, batch).backward()
            optimizer.step()
            optimizer.zero_grad()
        ends.append(mean_loss(model, batch).item())
        assert ends[-1] < first / 2
    assert ends[1] == pytest.approx(ends[0], abs=0.15 * first)


def test_export_holds_the_weights_as_they_are(
    pair: tuple[BertForPreTraining, BertForPreTraining], tmp_path: Path
) -> None:
    for name, model in zip(("plain", "rounded"), pair, strict=True):
        export_bert(model, tmp_path / name)
    plain, rounded = (load_file(tmp_path / name / "model.safetensors") for name in ("plain", "rounded"))
    assert plain.keys() == rounded.keys()
    assert all(torch.equal(value, rounded[name]) for name, value in plain.items())
    assert isinstance(import_bert(tmp_path / "rounded"), BertForPreTraining)


def test_widths_that_do_not_fit_are_refused(small_config: BertConfig) -> None:
    model = BertForPreTraining(small_config.model_copy(update={"intermediate_size": 72}))
    with pytest.raises(PretrainingError, match=r"model\.intermediate_size is 72.*multiple of 16"):
        use_fp8(model.bert)


def test_the_cpu_and_older_devices_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(PretrainingError, match="not this CPU"):
        require_fp8(torch.device("cpu"))
    monkeypatch.setattr(torch.cuda, "get_device_name", lambda *_: "NVIDIA A100")
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda *_: (8, 0))
    with pytest.raises(PretrainingError, match=r"not NVIDIA A100 \(compute capability 8\.0\)"):
        require_fp8(torch.device("cuda", 0))
    monkeypatch.setattr(torch.cuda, "get_device_capability", lambda *_: (9, 0))
    monkeypatch.setattr(fp8_linear.importlib.util, "find_spec", lambda _: None)
    with pytest.raises(PretrainingError, match="pip install torchao"):
        require_fp8(torch.device("cuda", 0))
    monkeypatch.setattr(fp8_linear.importlib.util, "find_spec", lambda _: object())
    require_fp8(torch.device("cuda", 0))


@pytest.mark.parametrize("more", [{"precision": "fp16"}, {"precision": "fp32"}, {"stage": 3}])
def test_what_it_does_not_go_with_is_refused(more: dict[str, object]) -> None:
    training = {"steps": 1, "batch_size": 1, "micro_batch_size": 1, "linear_layers": "fp8"}
    stage = more.get("stage", 1)
    training |= {name: value for name, value in more.items() if name != "stage"}
    with pytest.raises(ValueError, match="linear_layers"):
        Recipe.model_validate({"training": training, "deepspeed": {"zero_optimization": {"stage": stage}}})
