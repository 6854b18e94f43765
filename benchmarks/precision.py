"""``python -m benchmarks.precision``: what bfloat16 gains or costs on this CPU, a product and whole training steps.

One thread, CPU time, float32 and bfloat16 in turns, medians. ``ONEDNN_MAX_CPU_ISA=AVX512_CORE`` before the command
makes oneDNN compute as on a processor without bfloat16.
"""

import statistics
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import replace

import torch

from preprocessing.arguments import OptionParser
from pretraining.devices.abilities import abilities_of
from pretraining.model.bert import BertForPreTraining
from pretraining.model.config import BertConfig
from pretraining.model.packing import PackedBatch

# Name, published size, layers (None: all), sequences, longest.
STEPS = (("mini", "mini", None, 16, 128), ("base, 2 layers", "base", 2, 8, 128), ("base, 2 layers", "base", 2, 2, 512))


def medians(rounds: int, ways: dict[str, Callable[[], object]]) -> dict[str, float]:
    """Median CPU seconds of each way, in turns after a first round."""
    seconds: dict[str, list[float]] = {name: [] for name in ways}
    for repeat in range(rounds + 1):
        for name, way in ways.items():
            start = time.process_time()
            way()
            if repeat:
                seconds[name].append(time.process_time() - start)
    return {name: statistics.median(values) for name, values in seconds.items()}


def product(rounds: int, size: int = 768) -> dict[str, float]:
    """GFLOP/s of a square product by torch."""
    wide = torch.randn(size, size)
    narrow = wide.bfloat16()
    found = medians(rounds, {"fp32": lambda: wide @ wide.t(), "bf16": lambda: narrow @ narrow.t()})
    return {name: 2 * size**3 / seconds / 1e9 for name, seconds in found.items()}


def batch(sequences: int, longest: int) -> PackedBatch:
    """Made-up tokens, 80 to 100 % full, one in seven masked, with keys for dropout as the loader gives them."""
    generator = torch.Generator().manual_seed(1)
    lengths = torch.randint(longest * 8 // 10, longest + 1, (sequences,), generator=generator).tolist()
    ids = [torch.randint(5, 8000, (length,), generator=generator).tolist() for length in lengths]
    middles, is_random = [length // 2 for length in lengths], [number % 2 for number in range(sequences)]
    packed = PackedBatch.from_sequences(ids, middles, is_random_next=is_random)
    masked = torch.arange(0, packed.tokens, 7)
    labels = packed.input_ids_t[masked].clone()
    keys = torch.arange(sequences)
    return replace(packed, masked_indices_m=masked, masked_labels_m=labels, dropout_keys_s=keys)


def step(rounds: int, size: str, layers: int | None, sequences: int, longest: int) -> dict[str, float]:
    """CPU seconds of forward, backward and AdamW."""
    changes = {} if layers is None else {"num_hidden_layers": layers}
    torch.manual_seed(1)
    model = BertForPreTraining(BertConfig.named(size, **changes)).train()
    optimizer = torch.optim.AdamW(model.parameters(), lr=1e-5, fused=True)
    packed = batch(sequences, longest)

    def train(mixed: bool) -> None:
        with torch.autocast("cpu", torch.bfloat16, enabled=mixed):
            sums = model(packed)
        sums.loss(sums.masked_tokens, sums.sequences).backward()
        optimizer.step()
        optimizer.zero_grad()

    return medians(rounds, {"fp32": lambda: train(False), "bf16": lambda: train(True)})


def main(argv: Sequence[str] | None = None) -> int:
    """Prints a line a case."""
    parser = OptionParser("python -m benchmarks.precision", "What bfloat16 gains or costs on this CPU.")
    parser.add_argument("--rounds", type=int, default=5, help="rounds in which both precisions are timed")
    rounds = parser.parse_args(argv).rounds
    torch.set_num_threads(1)
    cpu = abilities_of(torch.device("cpu"))
    print(f"{cpu.name}, avx512_bf16: {'yes' if cpu.has_bfloat16 else 'no'}, torch {torch.__version__}")
    speed = product(rounds)
    print(f"product of 768³: fp32 {speed['fp32']:.0f} GFLOP/s, bf16 {speed['bf16']:.0f}")
    for name, *case in STEPS:
        seconds = step(rounds, *case)
        bf16, fp32 = seconds["bf16"], seconds["fp32"]
        print(f"step, {name}, {case[2]} × {case[3]}: fp32 {fp32:.2f} s, bf16 {bf16:.2f} s, ratio {bf16 / fp32:.2f}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
