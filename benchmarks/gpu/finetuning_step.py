"""A fine-tuning step, by precision."""

# mypy: ignore-errors
# (parts of the model and of DeepSpeed are replaced while they are measured, which types do not follow)

import torch

from benchmarks.gpu.attention_routes import ON_CPU, attending
from benchmarks.gpu.bench import Bench
from benchmarks.gpu.one_step import count_syncs
from pretraining.model.config import BertConfig


def finetuning(bench: Bench) -> None:
    """A training step of a sentence task, BERT-Large, 64 × 128: float32, TF32, bfloat16."""
    import numpy as np

    from finetuning.kinds.batches import collate
    from finetuning.kinds.encoding.layout import EncodedSplit
    from finetuning.kinds.encoding.truncation import cut_of
    from finetuning.kinds.model import TaskModel
    from finetuning.kinds.registry import kind_named
    from pretraining.model.bert import BertModel

    count, length = (2, 16) if bench.dry else (64, 128)
    random = np.random.default_rng(0)
    split = EncodedSplit(
        random.integers(5, 1000, count * length).astype(np.int32),
        np.arange(count + 1) * length,
        np.full(count, length // 2, np.int32),
        np.arange(count),
        random.integers(0, 2, count),
        cut_of(np.zeros(count, np.int64), count * length, length, length),
    )
    torch.manual_seed(1)
    kind = kind_named("classification")
    with bench.device:
        model = TaskModel(BertModel(BertConfig.named("tiny" if bench.dry else "large")), kind, 2)
    model.train()
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-5, fused=True)
    for what, route in (
        ("fp32", ON_CPU),
        ("tf32", ON_CPU),
        ("bf16", ON_CPU),
    ):
        torch.backends.cuda.matmul.allow_tf32 = what == "tf32"

        def step(what: str = what) -> None:
            batch = collate(split, np.arange(count)).to(bench.device)
            with torch.autocast(bench.device.type, torch.bfloat16, enabled=what == "bf16"):
                logits = model(batch)
            kind.loss_sum(logits, batch).backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            optimizer.zero_grad()

        with attending(route):
            bench.reset_peak()
            seconds, host = bench.seconds(step, 4)
            bench.say(
                "finetuning",
                precision=what,
                attention=route.__name__,
                ms=seconds * 1e3,
                host_ms=host * 1e3,
                peak_gib=bench.peak_gib(),
                syncs=count_syncs(bench, step),
            )
    torch.backends.cuda.matmul.allow_tf32 = False
    bench.reset_peak()
