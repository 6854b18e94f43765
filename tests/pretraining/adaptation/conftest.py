"""A small BERT with a vocabulary of letters, and shards of given pieces."""

from collections.abc import Callable, Sequence
from pathlib import Path
from string import ascii_lowercase

import numpy as np
import pyarrow as pa
import pytest
import torch

from preprocessing.examples.arrays import Examples
from preprocessing.examples.statistics import CorpusStatistics
from preprocessing.shards import (
    FORMAT_VERSION,
    DocumentTableRecords,
    InputRecords,
    Manifest,
    ShardRecords,
    ShardSet,
    documents_path,
    shard_path,
    write_documents,
    write_shard,
)
from preprocessing.tokens.tokenizer import SPECIAL_TOKENS, Tokenizer, build
from pretraining.model.bert import BertForPreTraining
from pretraining.model.config import BertConfig
from pretraining.model.huggingface import export_bert

UNUSED = 2


@pytest.fixture(scope="session")
def letters() -> Tokenizer:
    """Pieces: special ones, two that are unused, letters, letters that go on, and "the" and "." and "7"."""
    pieces = [*SPECIAL_TOKENS, *(f"[unused{number}]" for number in range(UNUSED)), *ascii_lowercase]
    pieces += [*(f"##{letter}" for letter in ascii_lowercase), "the", ".", "7", "##7"]
    return build({piece: index for index, piece in enumerate(pieces)}, lowercase=True)


@pytest.fixture(scope="session")
def make_model(letters: Tokenizer) -> Callable[..., Path]:
    """make_model(folder, more_rows=0) → an export of a BERT of two layers with random weights."""

    def make(folder: Path, more_rows: int = 0) -> Path:
        torch.manual_seed(5)
        config = BertConfig.named(
            "tiny",
            vocab_size=letters.vocabulary_size + more_rows,
            hidden_size=32,
            num_attention_heads=2,
            intermediate_size=64,
            max_position_embeddings=32,
        )
        model = BertForPreTraining(config)
        with torch.no_grad():
            model.mlm_head.decoder_bias.normal_()
        export_bert(model, folder, tokenizer=letters)
        return folder

    return make


@pytest.fixture(scope="session")
def model_folder(make_model: Callable[..., Path], tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_model(tmp_path_factory.mktemp("model") / "export")


Rows = Sequence[str]


@pytest.fixture
def shards_of(letters: Tokenizer, tmp_path: Path) -> Callable[..., ShardSet]:
    """shards_of(rows, heldout) → shards of length 32, each row "[CLS] … [SEP]" with its second piece masked."""

    def make(rows: Rows, heldout: Rows = (), name: str = "shards", tokenizer: Tokenizer = letters) -> ShardSet:
        folder, metadata = tmp_path / name, {"format_version": str(FORMAT_VERSION)}
        folder.mkdir()
        tokenizer.save(folder / "tokenizer")
        documents = write_documents(
            documents_path(folder, 0, 1),
            pa.table({key: pa.array(["x"]) for key in ("source", "file", "locator", "title")}),
            metadata,
        )
        records = [
            write_shard(shard_path(folder, split, 32, 0, 1), _examples(part, tokenizer), metadata)
            for split, part in (("train", rows), ("heldout", heldout))
        ]
        Manifest(
            format_version=FORMAT_VERSION,
            configuration_hash="made by hand",
            configuration={},
            inputs_hash="made by hand",
            inputs=InputRecords.of(()),
            tokenizer_fingerprint=tokenizer.fingerprint,
            vocabulary_size=tokenizer.vocabulary_size,
            buckets=1,
            lengths=(32,),
            shards=ShardRecords.of(records),
            documents=DocumentTableRecords.of([documents]),
            tally={"counters": {}},
            corpus=CorpusStatistics(documents_by_source={"text": 3}, heldout_documents=len(heldout)),
            statistics={},
        ).write(folder)
        return ShardSet.open(folder)

    return make


def _examples(rows: Rows, tokenizer: Tokenizer) -> Examples:
    ids = [[tokenizer.backend.token_to_id(piece) for piece in row.split()] for row in rows]
    assert all(index is not None for row in ids for index in row)
    offsets = np.cumsum([0, *map(len, ids)]).astype(np.int32)
    flat = np.array([index for row in ids for index in row], tokenizer.id_dtype)
    labels = flat[offsets[:-1] + 1]
    flat[offsets[:-1] + 1] = tokenizer.mask_id
    count = len(rows)
    return Examples(
        token_offsets=offsets,
        input_ids=flat,
        segment_b_start=np.diff(offsets).astype(np.uint16),
        mask_offsets=np.arange(count + 1, dtype=np.int32),
        masked_positions=np.ones(count, np.uint16),
        masked_labels=labels,
        is_random_next=np.zeros(count, bool),
        document_a=np.zeros(count, np.uint32),
        document_b=np.zeros(count, np.uint32),
    )
