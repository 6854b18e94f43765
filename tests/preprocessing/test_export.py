"""Parquet for other tools: what `transformers` makes of it is what stands in the shards."""

from pathlib import Path

import datasets
import numpy as np
import pyarrow.parquet as pq
import pytest
import torch
import transformers

from preprocessing import export as exporting
from preprocessing.export import main
from preprocessing.pipeline import run
from preprocessing.shards.reader import ShardSet
from preprocessing.tokens.tokenizer import SPECIAL_TOKENS

WORDS = [f"word{index}" for index in range(40)]


@pytest.fixture(scope="module")
def shards(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Several shards of lengths 16 and 32."""
    folder = tmp_path_factory.mktemp("build")
    rng = np.random.default_rng(5)
    documents = [
        "\n".join(" ".join(rng.choice(WORDS, rng.integers(4, 12))) for _ in range(rng.integers(2, 9)))
        for _ in range(120)
    ]
    (folder / "a.txt").write_text("\n\n".join(documents))
    (folder / "vocab.txt").write_text("".join(f"{piece}\n" for piece in [*SPECIAL_TOKENS, *WORDS]))
    options = ["--sentences", str(folder / "a.txt"), "--vocab", str(folder / "vocab.txt"), "--duplicate-factor", "2"]
    options += ["--sequence-lengths", "16,32", "--bucket-bytes", "8192", "--heldout-fraction", "0.1"]
    assert run([*options, "--output", str(folder / "shards")]) == 0
    return folder / "shards"


@pytest.mark.parametrize("options", [(), ("--no-pad",), ("--split", "heldout", "--sequence-length", "32")], ids=str)
def test_every_row_is_that_of_the_shards(
    shards: Path, tmp_path: Path, options: tuple[str, ...], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(exporting, "_ROWS_AT_A_TIME", 7)
    assert main([str(shards), "--output", str(tmp_path / "out"), *options]) == 0
    opened = ShardSet.open(shards)
    split, length = ("heldout", 32) if "heldout" in options else ("train", 16)
    rows = iter(datasets.load_dataset("parquet", data_files=str(tmp_path / "out" / "*.parquet"), split="train"))
    records = [record for record in opened.records(split, length) if record.rows]
    assert len(records) > 1
    for record in records:
        shard = opened.read(record)
        for number in range(shard.rows):
            row = next(rows)
            ids = shard.input_ids[shard.token_offsets[number] : shard.token_offsets[number + 1]].tolist()
            padding = 0 if "--no-pad" in options else length - len(ids)
            masks = slice(shard.mask_offsets[number], shard.mask_offsets[number + 1])
            labels = [-100] * (len(ids) + padding)
            for position, label in zip(shard.masked_positions[masks], shard.masked_labels[masks], strict=True):
                labels[position] = int(label)
            b_start = int(shard.segment_b_start[number])
            assert row == {
                "input_ids": ids + [0] * padding,
                "token_type_ids": [0] * b_start + [1] * (len(ids) - b_start) + [0] * padding,
                "attention_mask": [1] * len(ids) + [0] * padding,
                "labels": labels,
                "next_sentence_label": int(shard.is_random_next[number]),
            }
    assert next(rows, None) is None


def test_the_trainer_trains_on_it(shards: Path, tmp_path: Path) -> None:
    assert main([str(shards), "--output", str(tmp_path / "out")]) == 0
    rows = datasets.load_dataset("parquet", data_files=str(tmp_path / "out" / "*.parquet"), split="train")
    torch.manual_seed(0)
    config = transformers.BertConfig(
        vocab_size=45,
        hidden_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        intermediate_size=32,
        max_position_embeddings=16,
    )
    arguments = transformers.TrainingArguments(
        str(tmp_path / "run"), max_steps=3, per_device_train_batch_size=8, report_to="none", use_cpu=True, save_steps=99
    )
    model = transformers.BertForPreTraining(config)
    trained = transformers.Trainer(model, arguments, train_dataset=rows).train()
    assert 2.0 < trained.training_loss < 7.0  # near ln 45 + ln 2


def test_a_killed_export_goes_on_and_others_are_left_alone(
    shards: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    command = [str(shards), "--output", str(tmp_path / "out")]
    assert main(command) == 0
    files = [Path(line) for line in capsys.readouterr().out.splitlines()]
    kept, lost = files[0].stat().st_mtime_ns, files[1].read_bytes()
    files[1].unlink()
    assert main(command) == 0
    assert (files[0].stat().st_mtime_ns, files[1].read_bytes()) == (kept, lost)
    assert pq.read_metadata(files[1]).num_rows > 0
    assert main([*command, "--no-pad"]) == 2
    assert "holds an export of other shards or options" in capsys.readouterr().err
    (tmp_path / "theirs").mkdir()
    (tmp_path / "theirs" / "notes").touch()
    assert main([str(shards), "--output", str(tmp_path / "theirs")]) == 2
    assert "is not empty and no export.json" in capsys.readouterr().err


def test_examples_without_pairs_have_no_label(shards: Path, tmp_path: Path) -> None:
    folder = shards.parent
    options = ["--sentences", str(folder / "a.txt"), "--vocab", str(folder / "vocab.txt"), "--objective", "none"]
    assert run([*options, "--sequence-lengths", "16", "--output", str(tmp_path / "shards")]) == 0
    assert main([str(tmp_path / "shards"), "--output", str(tmp_path / "out")]) == 0
    (file,) = (tmp_path / "out").glob("*.parquet")
    assert pq.read_schema(file).names == ["input_ids", "token_type_ids", "attention_mask", "labels"]
