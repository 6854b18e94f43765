"""A training step of fine-tuning, by precision."""

import torch

from benchmarks.gpu.bench import Bench
from benchmarks.gpu.workload import Case


def finetuning_step(bench: Bench, case: Case) -> None:
    """Of a task of sentences: float32, float32 with TF32 products, bfloat16; uncompiled."""
    import numpy as np

    from finetuning.kinds.batches import collate
    from finetuning.kinds.encoding.layout import EncodedSplit
    from finetuning.kinds.encoding.truncation import cut_of
    from finetuning.kinds.model import TaskModel
    from finetuning.kinds.registry import kind_named
    from pretraining.model.bert import BertModel

    count, length = case.sequences, case.length
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
        model = TaskModel(BertModel(case.config), kind, 2)
    model.train()
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-5, fused=True)
    for precision in ("fp32", "tf32", "bf16"):
        torch.backends.cuda.matmul.allow_tf32 = precision == "tf32"

        def step(precision: str = precision) -> None:
            batch = collate(split, np.arange(count)).to(bench.device)
            with torch.autocast(bench.device.type, torch.bfloat16, enabled=precision == "bf16"):
                logits = model(batch)
            kind.loss_sum(logits, batch).backward()
            torch.nn.utils.clip_grad_norm_(model.parameters(), 1.0)
            optimizer.step()
            optimizer.zero_grad()

        step()
        seconds, host = bench.seconds(step, 5)
        bench.say(
            "finetuning", case=case.name, sequences=count, precision=precision, ms=seconds * 1e3, host_ms=host * 1e3
        )
    torch.backends.cuda.matmul.allow_tf32 = False
