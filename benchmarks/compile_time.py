"""``python -m benchmarks.compile_time``: what torch.compile takes for the model as a whole and for its layers.

On the CPU, with attention as GPUs without flash attention have it, so that the whole of a layer is compiled; Mini's
width, nothing taken from a cache. CPU seconds of the first training step, compiler processes included, and of a later
one.
"""

import resource
import sys
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import torch
from torch._dynamo.utils import counters

from benchmarks.precision import batch
from preprocessing.arguments import OptionParser
from pretraining.model import bert
from pretraining.model.attention_cuda import padded_attention
from pretraining.model.bert import BertForPreTraining
from pretraining.model.config import BertConfig
from pretraining.model.sequence_layout import SequenceLayout
from pretraining.run.device.compilation import compile_layers


def cpu_seconds() -> float:
    """Of this process and of those that it has waited for."""
    used = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return sum(part.ru_utime + part.ru_stime for part in used)


def measured(way: Callable[[BertForPreTraining], None], layers: int) -> str:
    """The first step, a later one of other lengths, and the graphs that were compiled."""
    torch._dynamo.reset()
    counters.clear()
    model = BertForPreTraining(BertConfig.named("mini", vocab_size=8192, num_hidden_layers=layers)).train()
    way(model)

    def seconds(sequences: int, longest: int) -> float:
        before = cpu_seconds()
        with torch.autocast("cpu", torch.bfloat16):
            sums = model(replace(batch(sequences, longest), dropout_keys_s=None))  # a GPU has no use for keys
        sums.loss(sums.masked_tokens, sums.sequences).backward()
        return cpu_seconds() - before

    first, *_, later = seconds(8, 128), seconds(4, 200), seconds(8, 120)
    graphs, breaks = counters["stats"]["unique_graphs"], sum(counters["graph_break"].values())
    return f"{first:.1f} s, a later step {later:.2f} s, {graphs} graphs, {breaks} graph breaks"


def main(argv: Sequence[str] | None = None) -> int:
    """Prints a line a way."""
    parser = OptionParser("python -m benchmarks.compile_time", "What torch.compile takes, as a whole and by layers.")
    parser.add_argument("--layers", type=int, default=4, help="layers of the model")
    layers = parser.parse_args(argv).layers
    torch.set_num_threads(1)
    torch._inductor.config.force_disable_caches = True
    torch._inductor.config.compile_threads = 1

    def attention(qkv_t3hd: torch.Tensor, layout: SequenceLayout, dropout: float, *_: Any) -> torch.Tensor:
        return padded_attention(qkv_t3hd, layout, dropout)

    bert.packed_attention = attention  # type: ignore[assignment]
    SequenceLayout.of = classmethod(lambda cls, edges, longest: cls(edges, longest, ()))  # type: ignore[assignment,method-assign]
    ways: dict[str, Callable[[BertForPreTraining], None]] = {
        "layers": compile_layers,
        "whole": lambda model: model.compile(dynamic=True),
    }
    for name, way in ways.items():
        print(f"{layers} layers, {name}: {measured(way, layers)}", flush=True)
    return 0


if __name__ == "__main__":
    sys.exit(main())
