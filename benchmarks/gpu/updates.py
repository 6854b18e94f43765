"""The optimiser's update alone, by ZeRO stage."""

# mypy: ignore-errors
# (parts of the model and of DeepSpeed are replaced while they are measured, which types do not follow)

import statistics
import time
import traceback
from dataclasses import replace
from typing import Any

import torch

from benchmarks.gpu.attention_routes import attending, direct
from benchmarks.gpu.bench import Bench
from benchmarks.gpu.one_step import count_syncs, engine_of, material, pinned, set_accumulation, step_figures
from preprocessing.shards import ShardSet
from pretraining.model.bert import BertForPreTraining
from pretraining.model.config import BertConfig
from pretraining.model.packing import PackedBatch
from pretraining.planning.memory import memory_per_rank


def optimiser(bench: Bench, shards: ShardSet) -> None:
    """The update alone: AdamW and LAMB at stages 0 and 1, plain torch beside; and a whole step at stages 0 to 3."""
    from pretraining.run.loop import train_step

    found = material(shards, 128, 2 if bench.dry else 64, 1)
    for stage, name in ((1, "adamw"), (1, "lamb"), (0, "lamb"), (3, "adamw"), (0, "adamw")):
        try:
            engine, model = engine_of(bench, stage=stage, optimizer=name)
            batch = found.batch if bench.dry else pinned(found.batch)
            with attending(direct):
                figures = step_figures(bench, engine, model.config, found, batch, 4)
                set_accumulation(engine, 1)

                def forward_backward(engine: Any = engine, batch: Any = batch) -> None:
                    sums = engine(batch.micro_batches[0].to(engine.device, non_blocking=True))
                    loss = sums.loss(batch.masked_tokens, batch.sequences)
                    engine.backward(loss, scale_wrt_gas=False)

                updates, hosts = [], []
                for _ in range(4):
                    forward_backward()
                    bench.wait()
                    start = time.perf_counter()
                    engine.step()
                    hosts.append(time.perf_counter() - start)
                    bench.wait()
                    updates.append(time.perf_counter() - start)
                syncs = count_syncs(bench, lambda e=engine, b=batch: train_step(e, b, 1))
            planned = memory_per_rank(
                model.config,
                stage=stage,
                ranks=1,
                precision="bf16",
                tokens=(64 * 128),
                sequences=64,
                longest=128,
                masked=found.masked,
                flash=True,
            )
            bench.say(
                "optimiser",
                stage=stage,
                optimizer=name,
                update_ms=statistics.median(updates) * 1e3,
                update_host_ms=statistics.median(hosts) * 1e3,
                syncs=syncs,
                planned_gib=planned.total / 2**30,
                **figures,
            )
            engine.destroy()
            del engine, model
        except Exception as error:
            bench.say("optimiser", stage=stage, optimizer=name, failed=repr(error)[:500])
            traceback.print_exc()
        bench.reset_peak()
    torch.manual_seed(1)
    with bench.device:
        model = BertForPreTraining(BertConfig.named("tiny" if bench.dry else "large"))
    plain = torch.optim.AdamW(model.parameters(), lr=1e-5, fused=True)
    for parameter in model.parameters():
        parameter.grad = torch.randn_like(parameter)
    seconds = bench.event_seconds(plain.step, 5)
    bench.say("optimiser", optimizer="torch AdamW fused, no engine, no clipping", update_ms=seconds * 1e3)
    bench.reset_peak()


def updates(bench: Bench) -> None:
    """LAMB's update alone, stages 0 and 1, BERT-Large."""
    for stage in (0, 1):
        engine, model = engine_of(bench, stage=stage, optimizer="lamb")
        set_accumulation(engine, 1)
        tiny = PackedBatch.from_sequences([list(range(5, 25))] * 2, [10, 10], is_random_next=[0, 1])
        tiny = replace(tiny, masked_indices_m=torch.arange(4), masked_labels_m=torch.arange(4)).to(bench.device)
        times = []
        for _ in range(5):
            sums = engine(tiny)
            engine.backward(sums.mlm_loss_sum + sums.nsp_loss_sum, scale_wrt_gas=False)
            bench.wait()
            start = time.perf_counter()
            engine.step()
            bench.wait()
            times.append(time.perf_counter() - start)
        bench.say(
            "optimiser", variant="mended", stage=stage, optimizer="lamb", update_ms=statistics.median(times) * 1e3
        )
        engine.destroy()
        del engine, model
        bench.reset_peak()
