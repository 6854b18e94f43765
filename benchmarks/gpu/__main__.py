"""What the project does on one GPU: `python -m benchmarks.gpu SHARDS OUTPUT.jsonl [--only PART] [--dry]`.

Every figure is written at once as one JSON line, and a part that fails is noted and passed over; --help names the
parts. SHARDS holds lengths 128 and 512. `--dry` does the same with tiny sizes on the CPU, to find mistakes where time
is cheap. What was seen: docs/gpu.md.
"""

# mypy: ignore-errors
# (parts of the model and of DeepSpeed are replaced while they are measured, which types do not follow)

import sys
import time
import traceback
from collections.abc import Callable, Sequence
from pathlib import Path

import torch

from benchmarks.gpu.attention_alone import attention_alone, probe
from benchmarks.gpu.bench import Bench
from benchmarks.gpu.beside_transformers import transformers_beside
from benchmarks.gpu.ceilings import environment, products
from benchmarks.gpu.finetuning_step import finetuning
from benchmarks.gpu.steps import compiled, mended, profile, steps
from benchmarks.gpu.updates import optimiser, updates
from preprocessing.arguments import OptionParser
from preprocessing.errors import PreprocessingError
from preprocessing.shards import ShardSet

PARTS: dict[str, Callable[[Bench, ShardSet], None]] = {
    "environment": lambda bench, shards: environment(bench),
    "attention": lambda bench, shards: attention_alone(bench),
    "step": steps,
    "transformers": transformers_beside,
    "compiled": compiled,
    "profile": profile,
    "optimiser": optimiser,
    "finetuning": lambda bench, shards: finetuning(bench),
    "products": lambda bench, shards: products(bench),
    "probe": lambda bench, shards: probe(bench),
    "mended": mended,
    "updates": lambda bench, shards: updates(bench),
}


def main(argv: Sequence[str] | None = None) -> int:
    """Command line; returns the exit code."""
    parser = OptionParser("python -m benchmarks.gpu", "What the project does on one GPU, measured part by part.")
    parser.add_argument("shards", type=Path, help="folder of a build of lengths 128 and 512")
    parser.add_argument("output", type=Path, help="file to which the figures are appended, one JSON object a line")
    text = f"measure this part only; may be repeated. Parts: {', '.join(PARTS)}"
    parser.add_argument("--only", metavar="PART", choices=PARTS, action="append", help=text)
    parser.add_argument("--dry", action="store_true", help="the same with tiny sizes on the CPU")
    try:
        arguments = parser.parse_args(argv)
        shards = ShardSet.open(arguments.shards)
    except PreprocessingError as error:
        print(f"benchmarks.gpu: {error}", file=sys.stderr)
        return error.exit_code
    bench = Bench(arguments.output, arguments.dry)
    torch.set_num_threads(8 if not arguments.dry else 1)
    for name, part in PARTS.items():
        if arguments.only and name not in arguments.only:
            continue
        start = time.perf_counter()
        try:
            part(bench, shards)
        except Exception as error:
            bench.say(name, failed=repr(error)[:800])
            traceback.print_exc()
        bench.reset_peak()
        bench.say("timing", of=name, seconds=time.perf_counter() - start)
    if torch.distributed.is_initialized():
        torch.distributed.destroy_process_group()
    return 0


if __name__ == "__main__":
    sys.exit(main())
