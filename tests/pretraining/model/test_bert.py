"""The model: sums, next to `transformers` on the same weights, activation checkpointing, errors."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from unittest import mock

import pytest
import torch
import transformers
from torch import Tensor

from pretraining.errors import PretrainingError
from pretraining.model import bert, linear
from pretraining.model.bert import BertForPreTraining, BertModel, SelfAttention
from pretraining.model.config import BertConfig
from pretraining.model.dropout import Dropout
from pretraining.model.huggingface import export_bert, to_huggingface_names
from pretraining.model.loss import PreTrainingSums
from pretraining.model.packing import PackedBatch

MakeBatch = Callable[..., PackedBatch]
LENGTHS = {"equal": [16, 16, 16], "ragged": [3, 16, 1, 9, 16], "one": [7]}


def padded_inputs(batch: PackedBatch) -> dict[str, Tensor]:
    """What `transformers.BertForPreTraining` takes for the same batch."""
    lengths = batch.cu_seqlens.diff().tolist()
    input_ids, segments, labels = (torch.full((len(lengths), max(lengths)), fill) for fill in (0, 0, -100))
    labels_t = torch.full((batch.tokens,), -100)
    assert batch.masked_indices_m is not None
    assert batch.masked_labels_m is not None
    assert batch.is_random_next_s is not None
    labels_t[batch.masked_indices_m] = batch.masked_labels_m
    start = 0
    for row, length in enumerate(lengths):
        input_ids[row, :length] = batch.input_ids_t[start : start + length]
        segments[row, :length] = batch.segment_ids_t[start : start + length]
        labels[row, :length] = labels_t[start : start + length]
        start += length
    mask = (torch.arange(max(lengths)) < torch.tensor(lengths)[:, None]).long()
    return {
        "input_ids": input_ids,
        "token_type_ids": segments,
        "attention_mask": mask,
        "labels": labels,
        "next_sentence_label": batch.is_random_next_s,
    }


def mean_loss(sums: PreTrainingSums) -> Tensor:
    return sums.loss(sums.masked_tokens, sums.sequences)


@pytest.mark.parametrize("lengths", LENGTHS.values(), ids=LENGTHS.keys())
def test_loss_and_gradients_equal_transformers(
    lengths: list[int], small_config: BertConfig, make_batch: MakeBatch, tmp_path: Path
) -> None:
    torch.manual_seed(3)
    ours = BertForPreTraining(small_config.model_copy(update={"initializer_range": 0.2}))
    export_bert(ours, tmp_path)
    theirs = transformers.BertForPreTraining.from_pretrained(tmp_path)
    batch = make_batch(lengths)
    loss = mean_loss(ours(batch))
    reference = theirs(**padded_inputs(batch)).loss
    assert loss.item() == pytest.approx(reference.item(), abs=1e-5)
    loss.backward()
    reference.backward()
    gradients = {name: parameter.grad for name, parameter in theirs.named_parameters()}
    for name, parts in to_huggingface_names(ours).items():
        expected = torch.cat([gradients[part] for part in parts])
        torch.testing.assert_close(ours.get_parameter(name).grad, expected, atol=1e-5, rtol=1e-4, msg=name)


def test_sums_add_up_over_any_cut_of_the_batch(small_config: BertConfig, make_batch: MakeBatch) -> None:
    torch.manual_seed(0)
    model = BertForPreTraining(small_config)
    whole, first, second = make_batch([5, 12, 9]), make_batch([5]), make_batch([12, 9])
    tokens = whole.input_ids_t
    first = replace(first, input_ids_t=tokens[:5], is_random_next_s=whole.is_random_next_s[:1])
    second = replace(second, input_ids_t=tokens[5:], is_random_next_s=whole.is_random_next_s[1:])
    masked, labels = torch.tensor([1, 6, 20]), torch.tensor([4, 5, 6])
    whole = replace(whole, masked_indices_m=masked, masked_labels_m=labels)
    first = replace(first, masked_indices_m=masked[:1], masked_labels_m=labels[:1])
    second = replace(second, masked_indices_m=masked[1:] - 5, masked_labels_m=labels[1:])
    for total, a, b in zip(model(whole), model(first), model(second), strict=True):
        assert torch.as_tensor(total).item() == pytest.approx(torch.as_tensor(a + b).item(), abs=1e-4)


def test_correct_predictions_are_counted(small_config: BertConfig, make_batch: MakeBatch) -> None:
    model = BertForPreTraining(small_config)
    batch = make_batch([9, 9])
    with torch.no_grad():
        model.mlm_head.decoder_bias[:] = 0.0
        model.mlm_head.decoder_bias[42] = 100.0
        model.nsp_head.bias[:] = torch.tensor([0.0, 100.0])
    labels = torch.tensor([42, 7, 42][: batch.masked_indices_m.shape[0]])
    batch = replace(batch, masked_indices_m=batch.masked_indices_m[: len(labels)], masked_labels_m=labels)
    sums = model(batch)
    assert sums.mlm_correct.item() == (labels == 42).sum().item()
    assert sums.nsp_correct.item() == batch.is_random_next_s.sum().item()


@pytest.mark.parametrize("keys_s", [None, torch.tensor([3, 4, 5])], ids=["from the generator", "from keys"])
def test_activation_checkpointing_changes_no_gradient(
    keys_s: Tensor | None, small_config: BertConfig, make_batch: MakeBatch
) -> None:
    config = small_config.model_copy(update={"hidden_dropout_prob": 0.1, "attention_probs_dropout_prob": 0.1})
    model = BertForPreTraining(config)
    batch = replace(make_batch([16, 8, 16]), dropout_keys_s=keys_s)
    gradients = []
    for checkpointed in (False, True):
        model.bert.checkpoint_activations = checkpointed
        model.zero_grad()
        torch.manual_seed(5)
        mean_loss(model(batch)).backward()
        gradients.append([parameter.grad.clone() for parameter in model.parameters()])
    for plain, recomputed in zip(*gradients, strict=True):
        torch.testing.assert_close(plain, recomputed, atol=0, rtol=0)


@pytest.fixture
def uninitialised_memory_is_nan() -> Iterator[None]:
    torch.use_deterministic_algorithms(True, warn_only=True)  # fills what torch.empty gives
    yield
    torch.use_deterministic_algorithms(False)


@pytest.mark.usefixtures("uninitialised_memory_is_nan")
@pytest.mark.parametrize("training", [True, False])
@pytest.mark.parametrize("mixed", [False, True], ids=["float32", "bfloat16"])
@pytest.mark.parametrize("keys_s", [None, torch.tensor([3, 4, 5])], ids=["from the generator", "from keys"])
def test_rows_that_fill_up_change_nothing(
    keys_s: Tensor | None, mixed: bool, training: bool, small_config: BertConfig, make_batch: MakeBatch
) -> None:
    """43 tokens become 48; the same masks, loss and gradients as without, and the same state of torch's generator."""
    config = small_config.model_copy(update={"hidden_dropout_prob": 0.1, "attention_probs_dropout_prob": 0.1})
    torch.manual_seed(1)
    model = BertForPreTraining(config).train(training)
    batch = replace(make_batch([16, 11, 16]), dropout_keys_s=keys_s)
    results = []
    with mock.patch.object(bert, "filled_up", wraps=bert.filled_up) as filled_up:
        for way in (None, lambda matrix: matrix):
            filled_up.side_effect = way
            model.zero_grad()
            torch.manual_seed(5)
            with torch.autocast("cpu", torch.bfloat16, enabled=mixed):
                states = list(model.bert.hidden_states(batch))
                loss = mean_loss(model(batch))
            loss.backward()
            gradients = [parameter.grad.clone() for parameter in model.parameters()]
            results.append([*states, loss.detach(), *gradients, torch.get_rng_state()])
        assert filled_up.called
    for filled, plain in zip(*results, strict=True):
        assert torch.isfinite(filled).all()
        torch.testing.assert_close(filled, plain, atol=1e-6, rtol=1e-5)


@pytest.mark.parametrize("mixed", [False, True], ids=["float32", "bfloat16"])
def test_kernels_are_kept_for_few_numbers_of_tokens(
    mixed: bool, small_config: BertConfig, make_batch: MakeBatch
) -> None:
    """oneDNN keeps one for each shape that it meets in a product or in GELU."""
    model, seen, counts = BertForPreTraining(small_config), set(), []

    def note(operation: Callable[..., Tensor]) -> Callable[..., Tensor]:
        def noted(*tensors: Tensor | None) -> Tensor:
            seen.add((operation, *(tensor.shape for tensor in tensors if tensor is not None)))
            return operation(*tensors)

        return noted

    with (
        mock.patch.object(linear, "_by_onednn", note(linear._by_onednn)),
        mock.patch.object(linear.F, "linear", note(linear.F.linear)),
        mock.patch.object(bert.F, "gelu", note(bert.F.gelu)),
        torch.autocast("cpu", torch.bfloat16, enabled=mixed),
    ):
        for tokens in range(33, 41):
            batch = make_batch([tokens])
            indices_m = torch.arange(9 + tokens % 8)
            batch = replace(batch, masked_indices_m=indices_m, masked_labels_m=indices_m)
            mean_loss(model(batch)).backward()
            counts.append(len(seen))
    assert counts[-1] == counts[0] > 0


@pytest.mark.parametrize("checkpointed", [False, True])
@pytest.mark.parametrize("precision", [torch.float32, torch.bfloat16])
def test_with_keys_a_training_step_draws_nothing_from_torchs_generator(
    precision: torch.dtype, checkpointed: bool, small_config: BertConfig, make_batch: MakeBatch
) -> None:
    config = small_config.model_copy(update={"hidden_dropout_prob": 0.1, "attention_probs_dropout_prob": 0.1})
    model, batch = BertForPreTraining(config), make_batch([16, 8, 16])
    model.bert.checkpoint_activations = checkpointed
    losses = []
    for keys in ([3, 4, 5], [3, 4, 5], [3, 4, 6]):
        state = torch.get_rng_state()
        with torch.autocast("cpu", torch.bfloat16, enabled=precision == torch.bfloat16):
            loss = mean_loss(model(replace(batch, dropout_keys_s=torch.tensor(keys))))
        loss.backward()
        assert torch.equal(torch.get_rng_state(), state)
        losses.append(loss.item())
    assert losses[0] == losses[1] != losses[2]


def test_every_site_of_dropout_has_its_number(small_config: BertConfig) -> None:
    model = BertForPreTraining(small_config)
    sites = [part.site for part in model.modules() if isinstance(part, Dropout | SelfAttention)]
    assert sorted(sites) == list(range(1 + 3 * small_config.num_hidden_layers))


def test_autocast_stays_close_and_keeps_losses_and_gradients_in_float32(
    small_config: BertConfig, make_batch: MakeBatch
) -> None:
    torch.manual_seed(0)
    model, batch = BertForPreTraining(small_config), make_batch([16, 16, 9])
    exact = mean_loss(model(batch))
    with torch.autocast("cpu", torch.bfloat16):
        sums = model(batch)
    assert sums.mlm_loss_sum.dtype == sums.nsp_loss_sum.dtype == torch.float32
    assert mean_loss(sums).item() == pytest.approx(exact.item(), rel=1e-2)
    mean_loss(sums).backward()
    assert all(parameter.grad.dtype == torch.float32 for parameter in model.parameters())


def test_weights_start_as_published() -> None:
    torch.manual_seed(0)
    model = BertForPreTraining(BertConfig.named("tiny", vocab_size=500))
    weight = model.bert.layers[0].feed_forward.output.weight
    assert weight.abs().max() <= 0.04
    assert weight.std().item() == pytest.approx(0.02 * 0.88, rel=0.02)  # a normal cut at two deviations
    assert model.bert.layers[0].attention.qkv.bias.abs().max() == 0
    assert model.mlm_head.decoder_weight is model.bert.embeddings.word.weight


def test_hidden_states_are_the_embeddings_and_every_layer(small_config: BertConfig, make_batch: MakeBatch) -> None:
    model = BertModel(small_config).eval()
    states = list(model.hidden_states(make_batch([4, 6])))
    assert [tuple(state.shape) for state in states] == [(10, 32)] * 3
    assert torch.equal(states[-1], model(make_batch([4, 6]))[0])


def test_a_sequence_longer_than_the_positions_is_refused(small_config: BertConfig, make_batch: MakeBatch) -> None:
    with pytest.raises(PretrainingError, match="41 tokens is longer than the model's 40"):
        BertModel(small_config)(make_batch([41]))


def test_a_batch_without_labels_is_refused(small_config: BertConfig) -> None:
    with pytest.raises(PretrainingError, match="masked positions"):
        BertForPreTraining(small_config)(PackedBatch.from_sequences([[1, 2]]))


def test_a_misspelt_size_names_the_nearest() -> None:
    with pytest.raises(PretrainingError, match="did you mean 'large'"):
        BertConfig.named("larg")


@pytest.mark.slow
def test_a_compiled_model_has_the_same_loss_and_gradients(small_config: BertConfig, make_batch: MakeBatch) -> None:
    torch.manual_seed(2)
    model, batch = BertForPreTraining(small_config), replace(make_batch([16, 16, 9]), dropout_keys_s=torch.arange(3))
    results = []
    for network in (model, torch.compile(model)):
        model.zero_grad()
        loss = mean_loss(network(batch))
        loss.backward()
        results.append([loss.detach(), *(parameter.grad.clone() for parameter in model.parameters())])
    for eager, compiled in zip(*results, strict=True):
        torch.testing.assert_close(eager, compiled, atol=1e-5, rtol=1e-4)
