"""With dropout too, the gradient of a global batch does not depend on ranks, ZeRO stage or accumulation (float32)."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from benchmarks.synthetic_shards import write_shards
from pretraining.data.examples import Examples, open_shard_sets
from pretraining.data.loader import Loader
from pretraining.data.sampler import Position, Sampler
from pretraining.model.bert import BertForPreTraining
from pretraining.model.config import BertConfig
from pretraining.model.huggingface import export_bert, import_bert

CASES = {
    1: ["0-1", "1-6"],
    2: ["0-2", "1-1", "1-3", "2-2", "3-2", "1-1-overlap", "1-3-overlap", "2-2-overlap"],
    4: ["0-1", "2-3", "3-1"],
}


@pytest.fixture(scope="module")
def folder(
    tmp_path_factory: pytest.TempPathFactory,
    launch: Callable[..., None],
    tiny_config: Callable[[int, float], BertConfig],
) -> Path:
    folder = tmp_path_factory.mktemp("gradients")
    write_shards(folder / "shards", full_share=0.3)
    config = tiny_config(65, 0.1)
    torch.manual_seed(1)
    export_bert(BertForPreTraining(config), folder / "start")
    for ranks, cases in CASES.items():
        launch(ranks, Path(__file__).with_name("gradient_ranks.py"), str(folder), *cases, folder=folder)
    return folder


@pytest.fixture(scope="module")
def reference(folder: Path) -> dict[str, torch.Tensor]:
    """Plain autograd over the whole batch at once: mean over masked tokens plus mean over pairs."""
    examples = Examples(open_shard_sets([folder / "shards"], 32, None), "train", 32)
    loader = Loader(examples, Sampler.weighted(tuple(examples.set_sizes), (), 1), 48, 1, 0, 1, 32, dropout_seed=7)
    batch = loader.batch_at(Position())
    model = import_bert(folder / "start").double()
    sums = model(batch.micro_batches[0])
    (sums.mlm_loss_sum / sums.masked_tokens + sums.nsp_loss_sum / sums.sequences).backward()
    return {name: parameter.grad for name, parameter in model.named_parameters() if parameter.grad is not None}


@pytest.mark.slow
@pytest.mark.parametrize("case", [f"{ranks}-{case}" for ranks, cases in CASES.items() for case in cases])
def test_gradient_equals_that_of_the_whole_batch(folder: Path, reference: dict[str, torch.Tensor], case: str) -> None:
    gradients = load_file(folder / f"{case}.safetensors")
    assert gradients.keys() == reference.keys()
    assert max(gradient.abs().max() for gradient in reference.values()) > 0.01
    for name, gradient in gradients.items():
        assert torch.allclose(gradient.double(), reference[name], rtol=1e-6, atol=1e-6), name
