"""The same step in `transformers`, in the same minutes."""

# mypy: ignore-errors
# (parts of the model and of DeepSpeed are replaced while they are measured, which types do not follow)

import functools
import statistics
from pathlib import Path
from typing import Any

import torch

from benchmarks.gpu.attention_routes import ON_CPU, attending, direct
from benchmarks.gpu.bench import Bench
from benchmarks.gpu.one_step import VOCABULARY, material
from preprocessing.shards import ShardSet
from pretraining.model.bert import BertForPreTraining
from pretraining.model.config import BertConfig


def transformers_beside(bench: Bench, shards: ShardSet) -> None:
    """Plain torch loops, bf16 autocast, fused AdamW: `transformers` (sdpa, padded) and ours on the same examples."""
    import tempfile

    import transformers

    from benchmarks.step_time import padded_inputs
    from pretraining.model.huggingface import export_bert

    torch.manual_seed(1)
    config = BertConfig.named("tiny" if bench.dry else "large", vocab_size=VOCABULARY)
    with bench.device:
        ours = BertForPreTraining(config)
    with tempfile.TemporaryDirectory() as folder:
        export_bert(ours, Path(folder))
        theirs: Any = transformers.BertForPreTraining.from_pretrained(folder, attn_implementation="sdpa")
    models = {"ours": ours.to(bench.device).train(), "transformers": theirs.to(bench.device).train()}
    optimizers = {name: torch.optim.AdamW(model.parameters(), lr=1e-5, fused=True) for name, model in models.items()}
    for length, size in ((128, 2),) if bench.dry else ((128, 64), (512, 16)):
        found = material(shards, length, size, 1)
        packed = found.batch.micro_batches[0]
        here = packed.to(bench.device)
        padded = {name: value.to(bench.device) for name, value in padded_inputs(packed).items()}

        def step(name: str, here: Any = here, padded: Any = padded) -> None:
            with torch.autocast(bench.device.type, torch.bfloat16):
                if name == "transformers":
                    loss = models[name](**padded).loss
                else:
                    sums = models[name](here)
                    loss = sums.loss(sums.masked_tokens, sums.sequences)
            loss.backward()
            optimizers[name].step()
            optimizers[name].zero_grad()

        seconds: dict[str, list[float]] = {"transformers": [], "ours direct": [], "ours mended": []}
        peaks: dict[str, float] = {}
        for name in seconds:  # rounds alternate, so that all see the same machine
            with attending(ON_CPU if name.endswith("mended") else direct):
                bench.reset_peak()
                bench.seconds(functools.partial(step, name.split()[0]), 1, 2)
                peaks[name] = bench.peak_gib()
        for _ in range(4):
            for name, times in seconds.items():
                with attending(ON_CPU if name.endswith("mended") else direct):
                    times.append(bench.seconds(functools.partial(step, name.split()[0]), 3, 1)[0])
        medians = {name: statistics.median(times) for name, times in seconds.items()}
        bench.say(
            "transformers",
            batch=f"{size}x{length}",
            padded_tokens=int(padded["input_ids"].numel()),
            real_tokens=packed.tokens,
            ms={name: value * 1e3 for name, value in medians.items()},
            spread_ms={name: [min(times) * 1e3, max(times) * 1e3] for name, times in seconds.items()},
            theirs_over_ours={name: medians["transformers"] / value for name, value in medians.items()},
            tokens_per_second={name: packed.tokens / value for name, value in medians.items()},
            peak_gib=peaks,
        )
    bench.reset_peak()
