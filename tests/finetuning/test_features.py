"""Features of a frozen encoder, against `transformers`' hidden states."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
import torch

from finetuning import features
from finetuning.run.features import LAYERS

SENTENCES = ["the cat sat on the mat", "he ran", "xyzzy is not near the red house"]


def mixed(states: tuple[torch.Tensor, ...], layers: str) -> torch.Tensor:
    if layers.startswith("layer:"):
        return states[int(layers[6:])]
    return {
        "embeddings": states[0],
        "second-to-last": states[3],
        "last": states[4],
        "sum-last-four": states[1] + states[2] + states[3] + states[4],
        "sum-all": states[1] + states[2] + states[3] + states[4],
        "concat-last-four": torch.cat(states[1:], -1),
        "concat-all": torch.cat(states[1:], -1),
    }[layers]


@pytest.mark.parametrize("layers", [*LAYERS[:-1], "layer:0", "layer:2"])
@pytest.mark.parametrize("level", ["cls", "mean"])
def test_features_equal_transformers(
    layers: str, level: str, model_folder: Path, write_lines: Callable[..., Path], tmp_path: Path
) -> None:
    from transformers import AutoModel, AutoTokenizer

    source, output = write_lines("text.txt", *SENTENCES), tmp_path / "features.arrow"
    arguments = ["--model", str(model_folder), "--input", str(source), "--output", str(output)]
    assert features.main([*arguments, "--layers", layers, "--level", level]) == 0
    table = pa.ipc.open_stream(output.read_bytes()).read_all()
    assert table.schema.metadata[b"layers"] == layers.encode()
    model, tokenizer = AutoModel.from_pretrained(model_folder).eval(), AutoTokenizer.from_pretrained(model_folder)
    for row, sentence in zip(table.to_pylist(), SENTENCES, strict=True):
        with torch.no_grad():
            states = model(**tokenizer(sentence, return_tensors="pt"), output_hidden_states=True).hidden_states
        vectors = mixed(states, layers)[0]
        expected = vectors[0] if level == "cls" else vectors.mean(0)
        np.testing.assert_allclose(row["features"], expected.numpy(), atol=2e-5)


def test_word_features_load_in_datasets(model_folder: Path, benchmark_data: Path, tmp_path: Path) -> None:
    import datasets
    from transformers import AutoModel, AutoTokenizer

    output = tmp_path / "features.arrow"
    arguments = ["--model", str(model_folder), "--task", "conll2003", "--data", str(benchmark_data)]
    assert features.main([*arguments, "--level", "word", "--layers", "last", "--output", str(output)]) == 0
    rows = datasets.Dataset.from_file(str(output))
    assert len(rows) == 9
    first = rows[0]
    assert first["words"] == ["he", "ran", "in", "Paris", "France", "."]
    assert first["tags"] == ["O", "O", "O", "B-LOC", "B-LOC", "O"]
    tokenizer, model = AutoTokenizer.from_pretrained(model_folder), AutoModel.from_pretrained(model_folder).eval()
    inputs = tokenizer(first["words"], is_split_into_words=True, return_tensors="pt")
    places = [inputs.word_ids().index(word) for word in range(6)]
    with torch.no_grad():
        expected = model(**inputs).last_hidden_state[0][places]
    np.testing.assert_allclose(np.array(first["features"]), expected.numpy(), atol=2e-5)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--layers", "first"], "--layers first: unknown"),
        (["--layers", "layer:5"], "the encoder has 4 layers"),
        (["--level", "word"], "needs a token task"),
        (["--task", "rte", "--split", "eval"], "rte has train, dev, test"),
    ],
)
def test_what_cannot_be_extracted(
    arguments: list[str],
    message: str,
    model_folder: Path,
    benchmark_data: Path,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    common = ["--model", str(model_folder), "--data", str(benchmark_data), "--output", str(tmp_path / "f")]
    assert features.main([*common, *arguments]) == 2
    assert message in capsys.readouterr().err
    assert not (tmp_path / "f").exists()


def test_words_are_read_with_their_document(
    model_folder: Path, write_lines: Callable[..., Path], tmp_path: Path
) -> None:
    """The vectors are those of the run-on document, in runs of rows that cut no document."""
    from transformers import AutoModel, AutoTokenizer

    sentences = [["the", "cat", "sat"], ["it", "ran"], ["he", "was", "red"]]
    lines = [line for words in sentences for line in (*(f"{word} O" for word in words), "")]
    source = write_lines("new.conll", "-DOCSTART- O", "", *lines[:-4], "-DOCSTART- O", "", *lines[-4:])
    arguments = ["--model", str(model_folder), "--task", "conll2003", "--input", str(source), "--level", "word"]
    tokenizer, model = AutoTokenizer.from_pretrained(model_folder), AutoModel.from_pretrained(model_folder).eval()

    def vectors(words: list[str]) -> np.ndarray:
        with torch.no_grad():
            return (
                model(**tokenizer(words, is_split_into_words=True, return_tensors="pt"))
                .last_hidden_state[0, 1:-1]
                .numpy()
            )

    document = vectors([*sentences[0], *sentences[1]])
    expected = {
        "sentence": [vectors(words) for words in sentences],
        "document": [document[:3], document[3:], vectors(sentences[2])],
    }
    for context, wanted in expected.items():
        output = tmp_path / f"{context}.arrow"
        assert features.main([*arguments, "--context", context, "--output", str(output)]) == 0
        rows = pa.ipc.open_stream(output.read_bytes()).read_all().to_pylist()
        for row, vector in zip(rows, wanted, strict=True):
            np.testing.assert_allclose(np.array(row["features"]), vector, atol=2e-5)


def test_a_document_is_not_cut_between_runs_of_rows(
    model_folder: Path, benchmark_data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    arguments = ["--model", str(model_folder), "--task", "conll2003", "--data", str(benchmark_data), "--level", "word"]
    arguments += ["--context", "document"]
    tables = []
    for rows in (512, 2):
        monkeypatch.setattr("finetuning.run.features.CHUNK_ROWS", rows)
        output = tmp_path / f"{rows}.arrow"
        assert features.main([*arguments, "--output", str(output)]) == 0
        tables.append(pa.ipc.open_stream(output.read_bytes()).read_all())
    assert tables[0].equals(tables[1])
