"""First weights that look at neighbours."""

from collections.abc import Callable

import pytest
import torch

from pretraining.model.bert import BertForPreTraining
from pretraining.model.config import BertConfig
from pretraining.model.neighbour_start import frequencies, offset, start_at_neighbours
from pretraining.model.packing import PackedBatch

VOCABULARY = 101
SIZES = [(128, 2), (128, 4), (256, 4), (192, 6)]


def started(width: int, heads: int) -> BertForPreTraining:
    torch.manual_seed(1)
    sizes = {"hidden_size": width, "num_attention_heads": heads, "intermediate_size": 4 * width}
    model = BertForPreTraining(BertConfig(vocab_size=VOCABULARY, num_hidden_layers=2, **sizes))
    start_at_neighbours(model)
    return model.eval()


def first_attention(model: BertForPreTraining, batch: PackedBatch) -> torch.Tensor:
    """Probabilities [heads, t, t] of the first layer for one sequence, written out."""
    attention = model.bert.layers[0].attention
    hidden_th = model.bert.embeddings(batch)
    query, key, _ = (
        part.view(batch.tokens, attention.heads, -1).transpose(0, 1)
        for part in attention.qkv(hidden_th).chunk(3, dim=1)
    )
    return torch.softmax(query @ key.transpose(1, 2) / query.shape[-1] ** 0.5, dim=-1)


@pytest.mark.parametrize(("width", "heads"), SIZES)
def test_each_head_of_the_first_layer_looks_at_its_neighbour(width: int, heads: int) -> None:
    length = 64
    ids = torch.randint(0, VOCABULARY, (length,), generator=torch.Generator().manual_seed(2)).tolist()
    batch = PackedBatch.from_sequences([ids], [30])
    with torch.no_grad():
        attended = first_attention(started(width, heads), batch)
    for head in range(heads):
        inner = torch.arange(5, length - 5)  # both neighbours are there
        wanted = attended[head, inner, inner + offset(head)]
        assert float(wanted.mean()) > 0.85, f"head {head}"
        assert float(wanted.min()) > 0.2, f"head {head}"


def test_heads_look_before_and_behind_in_turn() -> None:
    assert [offset(head) for head in range(6)] == [-1, 1, -2, 2, -3, 3]


def test_frequencies_fall_in_geometric_steps() -> None:
    found = frequencies(5).double()
    assert found[0] == pytest.approx(2.0)
    assert found[-1] == pytest.approx(0.05)
    torch.testing.assert_close(found[1:] / found[:-1], torch.full((4,), 40.0**-0.25, dtype=torch.float64))
    assert frequencies(1).tolist() == [2.0]


def test_words_and_positions_are_of_one_size_in_halves_of_their_own() -> None:
    model = started(256, 4)
    word, position = model.bert.embeddings.word.weight.detach(), model.bert.embeddings.position.weight.detach()
    assert float(word[:, 128:].std()) == pytest.approx(0.05 * 0.88, rel=0.02)
    assert float(word[:, :128].std()) == pytest.approx(0.005 * 0.88, rel=0.02)
    assert float(position[:, 128:].abs().max()) == 0.0
    torch.testing.assert_close(position[:, 0:128:2] ** 2 + position[:, 1:128:2] ** 2, torch.full((512, 64), 0.0025))


def test_the_rest_is_as_published(small_config: BertConfig) -> None:
    torch.manual_seed(1)
    published = BertForPreTraining(small_config)
    torch.manual_seed(1)
    model = BertForPreTraining(small_config)
    start_at_neighbours(model)
    before, after = published.state_dict(), model.state_dict()
    changed = {name for name in before if not torch.equal(before[name], after[name])}
    assert changed == {
        "bert.embeddings.word.weight",
        "bert.embeddings.position.weight",
        "bert.layers.0.attention.qkv.weight",
        "mlm_head.decoder_weight",
    }
    values = 2 * small_config.hidden_size
    name = "bert.layers.0.attention.qkv.weight"
    assert torch.equal(before[name][values:], after[name][values:])


@pytest.mark.parametrize("width", [4, 8, 20])
def test_a_very_narrow_model_starts_too(width: int, make_batch: Callable[..., PackedBatch]) -> None:
    model = started(width, 2)
    sums = model(make_batch([9, 12], vocab_size=VOCABULARY))
    assert torch.isfinite(sums.mlm_loss_sum)
