"""Small models and batches that the pretraining tests share."""

import os
import socket
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from pretraining.model.config import BertConfig
from pretraining.model.packing import PackedBatch


@pytest.fixture(autouse=True)
def _one_thread() -> None:
    torch.set_num_threads(1)


@pytest.fixture
def small_config() -> BertConfig:
    """Two layers, 32 wide, two heads; no dropout."""
    return BertConfig(
        vocab_size=101,
        hidden_size=32,
        num_hidden_layers=2,
        num_attention_heads=2,
        intermediate_size=64,
        max_position_embeddings=40,
        hidden_dropout_prob=0.0,
        attention_probs_dropout_prob=0.0,
    )


@pytest.fixture(scope="session")
def tiny_config() -> Callable[[int, float], BertConfig]:
    """tiny_config(vocabulary, dropout) → two layers, 32 wide, two heads, for sequences of up to 32."""

    def make(vocabulary: int, dropout: float) -> BertConfig:
        return BertConfig.named(
            "tiny",
            hidden_size=32,
            num_attention_heads=2,
            intermediate_size=64,
            max_position_embeddings=32,
            vocab_size=vocabulary,
            hidden_dropout_prob=dropout,
            attention_probs_dropout_prob=dropout,
        )

    return make


@pytest.fixture
def make_batch() -> Callable[..., PackedBatch]:
    """make_batch(lengths, vocab_size, seed) → a batch with about one token in seven masked, at least one."""

    def make(lengths: list[int], vocab_size: int = 101, seed: int = 0) -> PackedBatch:
        generator = torch.Generator().manual_seed(seed)
        sequences = [torch.randint(1, vocab_size, (n,), generator=generator).tolist() for n in lengths]
        is_random = torch.randint(0, 2, (len(lengths),), generator=generator).tolist()
        batch = PackedBatch.from_sequences(sequences, [(n + 1) // 2 for n in lengths], is_random_next=is_random)
        masked = torch.randperm(batch.tokens, generator=generator)[: max(1, batch.tokens // 7)].sort().values
        labels = torch.randint(1, vocab_size, masked.shape, generator=generator)
        return replace(batch, masked_indices_m=masked, masked_labels_m=labels)

    return make


@pytest.fixture(scope="session")
def launch() -> Callable[..., None]:
    """launch(ranks, script, *arguments): runs a script on real processes and waits; fails with their output."""

    def launch(ranks: int, script: Path, *arguments: str, folder: Path, seconds: int = 500) -> None:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = str(probe.getsockname()[1])
        shared = {"WORLD_SIZE": str(ranks), "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port, "OMP_NUM_THREADS": "1"}
        logs = [folder / f"rank{rank}.log" for rank in range(ranks)]
        processes = []
        for rank, log in enumerate(logs):
            with log.open("w") as output:
                processes.append(
                    subprocess.Popen(
                        [sys.executable, str(script), *arguments],
                        env={**os.environ, **shared, "RANK": str(rank), "LOCAL_RANK": str(rank)},
                        stdout=output,
                        stderr=subprocess.STDOUT,
                        cwd=Path(__file__).parents[2],
                    )
                )
        try:
            codes = [process.wait(timeout=seconds) for process in processes]
        finally:
            for process in processes:
                process.kill()
        assert codes == [0] * ranks, "\n".join(log.read_text()[-4000:] for log in logs)

    return launch
