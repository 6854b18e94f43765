"""How a model begins, and where it drops out: as in the code that the paper released."""

import pytest
import torch

from finetuning.kinds.model import TaskModel
from finetuning.kinds.registry import KINDS, kind_named
from finetuning.run.start import set_dropout
from pretraining.model.bert import BertModel, SelfAttention
from pretraining.model.config import BertConfig
from pretraining.model.dropout import Dropout

LAYERS = 2


@pytest.fixture(scope="module")
def encoder() -> BertModel:
    """As wide as BERT-Base, and small otherwise."""
    shape = {"num_hidden_layers": LAYERS, "intermediate_size": 8, "max_position_embeddings": 8}
    return BertModel(BertConfig(vocab_size=10, hidden_size=768, num_attention_heads=12, **shape))


@pytest.mark.parametrize("kind", KINDS)
def test_a_head_begins_as_a_normal_distribution_cut_at_two_deviations(kind: str, encoder: BertModel) -> None:
    """Of deviation 0.02 before it is cut, as `tf.truncated_normal_initializer(stddev=0.02)`; biases 0."""
    torch.manual_seed(0)
    heads = [TaskModel(encoder, kind_named(kind), 3).head for _ in range(10)]
    weights = torch.cat([head.weight.flatten() for head in heads])
    assert weights.abs().max() <= 0.04
    assert weights.abs().max() > 0.0399
    assert weights.std().item() == pytest.approx(0.02 * 0.8796, rel=0.04)
    assert abs(weights.mean().item()) < 5 * 0.02 / len(weights) ** 0.5
    assert not torch.cat([head.bias for head in heads]).any()


@pytest.mark.parametrize("kind", KINDS)
def test_dropout_is_everywhere_and_every_place_has_draws_of_its_own(kind: str, encoder: BertModel) -> None:
    model = TaskModel(encoder, kind_named(kind), 3)

    def probabilities() -> list[float]:
        parts = list(model.modules())
        hidden = [part.probability for part in parts if isinstance(part, Dropout)]
        return hidden + [part.probability_dropout for part in parts if isinstance(part, SelfAttention)]

    # The embeddings', two and attention's for each layer, the head's.
    assert probabilities() == [0.1] * (3 * LAYERS + 2)
    assert model.dropout.probability == 0.1
    sites = [part.site for part in model.modules() if isinstance(part, Dropout | SelfAttention)]
    assert sorted(sites) == list(range(3 * LAYERS + 2))
    set_dropout(model, 0.25)
    assert probabilities() == [0.25] * (3 * LAYERS + 2)
    set_dropout(model, 0.1)
