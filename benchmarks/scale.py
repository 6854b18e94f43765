"""What a run of hundreds of ranks costs besides its GPUs: the constants of docs/scale.md, measured on this machine.

    python -m benchmarks.scale [--only opening,joining,loading,memory,saving]

CPU seconds of one process and memory, so that other work on the machine changes little; no GPU. Everything is made up:
manifests, shards, a model of random weights. The last line is one JSON object, with the figures that
`pretraining/planning/constants.toml` keeps for the planner.

    opening   a rank opens the manifest of so many shards
    joining   ranks of one machine meet and make their gloo group; the most that any of them takes
    loading   one rank's share of a global batch: drawing, measuring and cutting all of it, packing its own
    memory    what a process that has mapped so many shards holds of its own, and bytes of shards a token
    saving    a checkpoint of one rank: looking at every number, writing, forcing to disk, hashing
"""

import argparse
import functools
import json
import multiprocessing
import resource
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from benchmarks.command import benchmark_parser, run
from benchmarks.manifest import make, measured
from benchmarks.synthetic_shards import write_shards
from preprocessing.shards import ShardSet
from pretraining.data.batching import cut
from pretraining.data.examples import Examples
from pretraining.data.loader import Loader
from pretraining.data.sampler import Position, Sampler
from pretraining.errors import PretrainingError

BATCH = 65_536
SHARDS_A_BUCKET = 4  # two splits, two lengths
SIZES = {"opening": (100, 1_000, 10_000), "joining": (2, 4, 8, 16), "loading": (8, 64, 512), "memory": (100, 400, 1600)}
MODELS = ("mini", "small", "base")


def opening(scratch: Path) -> dict[str, Any]:
    """CPU seconds of a rank that opens a build of so many shards, imports left out; and of the imports."""
    found = {}
    for shards in SIZES["opening"]:
        folder = scratch / f"manifest-{shards}"
        make(folder, shards // SHARDS_A_BUCKET)
        runs = [measured("rank", folder, shards // SHARDS_A_BUCKET) for _ in range(3)]
        found[shards] = min(run["cpu_seconds"] for run in runs)
    script = "import time, pretraining.run.pretrain, deepspeed; print(time.process_time())"
    ran = subprocess.run([sys.executable, "-c", script], check=True, capture_output=True, text=True)
    return {"cpu_seconds_by_shards": found, "import_cpu_seconds": float(ran.stdout.split()[-1])}


def joining(scratch: Path) -> dict[str, Any]:
    """The most CPU seconds that a rank takes from its number to its process group, by the number of ranks."""
    import pretraining.run.engine  # noqa: F401  (once for all ranks, which are forked)

    return {"cpu_seconds_by_ranks": {ranks: _join(ranks) for ranks in SIZES["joining"]}}


def _join(ranks: int) -> float:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    context = multiprocessing.get_context("fork")
    results = context.SimpleQueue()
    processes = [context.Process(target=_one_rank, args=(rank, ranks, port, results)) for rank in range(ranks)]
    for process in processes:
        process.start()
    taken = [results.get() for _ in processes]
    for process in processes:
        process.join()
    return max(taken)


def _one_rank(rank: int, ranks: int, port: int, results: Any) -> None:
    from pretraining.rendezvous import facts_of
    from pretraining.run.engine import start_processes
    from pretraining.run.ranks import RankEnvironment

    begun = time.process_time()
    facts = facts_of("scale", {}, ("preprocessing", "pretraining"), {})
    start_processes(RankEnvironment(rank, ranks, rank, ranks, "127.0.0.1", port), facts)
    results.put(time.process_time() - begun)
    torch.distributed.destroy_process_group()


def loading(scratch: Path) -> dict[str, Any]:
    """CPU milliseconds of rank 0 for its part of a global batch of 65,536 sequences of 128, by the number of ranks."""
    torch.set_num_threads(1)
    folder = write_shards(
        scratch / "loading", rows=2_200, heldout_rows=1, shards=30, lengths=(128,), words=30_000, full_share=0.8
    )
    examples = Examples([ShardSet.open(folder)], "train", 128)
    sampler = Sampler.weighted(tuple(examples.set_sizes), (), 1)
    drawn, _ = sampler.draw(Position(), BATCH)
    lengths, _ = examples.measure(drawn)
    parts = {
        "drawing": lambda: sampler.draw(Position(), BATCH),
        "measuring": lambda: examples.measure(drawn),
        "cutting": lambda: cut(lengths, 64, 4, 1024),
    }
    found = {name: _milliseconds(part) for name, part in parts.items()}
    whole = {}
    for ranks in SIZES["loading"]:
        loader = Loader(examples, sampler, BATCH, max(1, BATCH // ranks // 256), 0, ranks, 1024)
        whole[ranks] = _milliseconds(functools.partial(loader.batch_at, Position()))
    return {"cpu_ms_by_ranks": whole, "cpu_ms_of_parts": found, "tokens": int(lengths.sum())}


def _milliseconds(work: Callable[[], Any], repeats: int = 5) -> float:
    work()
    taken = []
    for _ in range(repeats):
        begun = time.process_time()
        work()
        taken.append(time.process_time() - begun)
    return 1e3 * float(np.median(taken))


def memory(scratch: Path) -> dict[str, Any]:
    """Memory of a process of its own that has mapped so many shards, what it shares with files left out."""
    found, disk = {}, 0.0
    for shards in SIZES["memory"]:
        folder = write_shards(
            scratch / f"memory-{shards}", rows=60, heldout_rows=1, shards=shards, lengths=(128,), words=30_000
        )
        command = [sys.executable, "-m", "benchmarks.scale", "--map", str(folder)]
        ran = subprocess.run(command, check=True, capture_output=True, text=True)
        found[shards] = json.loads(ran.stdout)["own_bytes"]
    big = write_shards(scratch / "big", rows=5_000, heldout_rows=1, shards=1, lengths=(128,), words=30_000)
    records = ShardSet.open(big).records("train", 128)
    disk = sum((big / file.name).stat().st_size for file in records.files()) / int(records.column("tokens").sum())
    few, many = SIZES["memory"][0], SIZES["memory"][-1]
    return {
        "own_bytes_by_shards": found,
        "own_bytes_a_shard": (found[many] - found[few]) / (many - few),
        "file_bytes_a_token": disk,
    }


def own_bytes(folder: Path) -> int:
    """Anonymous memory of this process after an example of every shard was read."""
    examples = Examples([ShardSet.open(folder)], "train", 128)
    examples.pack(np.arange(0, len(examples), 60))
    status = Path("/proc/self/status").read_text()
    return next(int(line.split()[1]) * 1024 for line in status.splitlines() if line.startswith("RssAnon"))


def saving(scratch: Path) -> dict[str, Any]:
    """CPU seconds, and seconds on this disk, of one rank's checkpoint by the bytes of it; stage 1, float32, AdamW."""
    from pretraining.configuration.tables import Recipe
    from pretraining.model.bert import BertForPreTraining
    from pretraining.model.config import BertConfig
    from pretraining.model.packing import PackedBatch
    from pretraining.run.checkpoint.files import Retention
    from pretraining.run.checkpoint.identity import identity_of
    from pretraining.run.checkpoint.save import save
    from pretraining.run.engine import start_engine, start_processes
    from pretraining.run.ranks import read_environment
    from pretraining.run.trainer_state import TrainerState

    torch.set_num_threads(1)
    start_processes(read_environment())
    rows = []
    for size in MODELS:
        recipe = Recipe.model_validate(
            {"training": {"steps": 9, "batch_size": 1, "micro_batch_size": 1, "precision": "fp32"}}
        )
        config = BertConfig.named(size)
        engine = start_engine(recipe, BertForPreTraining(config), 1, 1, on_cpu=True)
        batch = PackedBatch.from_sequences([list(range(5, 25))], [10], is_random_next=[0])
        batch.__dict__.update(masked_indices_m=torch.arange(4), masked_labels_m=torch.arange(4))
        sums = engine(batch)
        engine.backward(sums.mlm_loss_sum + sums.nsp_loss_sum, scale_wrt_gas=False)
        engine.step()
        identity = identity_of(recipe, config, "made up", "made up", 1, 1)
        retention = Retention(newest=1, every=0, best=False)
        for attempt in range(3):
            begun = time.process_time()
            saved = save(engine, scratch / size, TrainerState(step=attempt), identity, retention)
            row = {"bytes": saved.bytes, "cpu_seconds": time.process_time() - begun, "seconds": saved.seconds}
            rows.append(row)
        engine.destroy()
    sizes, seconds = (np.array([row[name] for row in rows]) for name in ("bytes", "cpu_seconds"))
    slope, rest = np.polyfit(sizes, seconds, 1)
    return {"saves": rows, "cpu_seconds_a_gb": slope * 1e9, "cpu_seconds_besides": rest}


PARTS = {"opening": opening, "joining": joining, "loading": loading, "memory": memory, "saving": saving}


def compare(arguments: argparse.Namespace) -> None:
    """Measures the parts, each in a process of its own, and prints what they found."""
    if arguments.map:
        print(json.dumps({"own_bytes": own_bytes(arguments.map)}))
        return
    names = [name for name in arguments.only.split(",") if name]
    unknown = [name for name in names if name not in PARTS]
    if unknown:
        raise PretrainingError(f"--only {unknown[0]}: there is no such part; known: {', '.join(PARTS)}")
    if len(names) == 1:
        with tempfile.TemporaryDirectory() as scratch:
            print(json.dumps({names[0]: PARTS[names[0]](Path(scratch))}))
        return
    found: dict[str, Any] = {}
    for name in names or PARTS:
        command = [sys.executable, "-m", "benchmarks.scale", "--only", name]
        ran = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
        found |= json.loads(ran.stdout.splitlines()[-1])
        print(f"{name}: {found[name]}", file=sys.stderr, flush=True)
    found["peak_mib"] = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss // 1024
    print(json.dumps(found))


def main(argv: Sequence[str] | None = None) -> int:
    """Command line; returns the exit code."""
    parser = benchmark_parser("scale", __doc__)
    parser.add_argument("--only", metavar="NAMES", default="", help=f"parts, with commas: {', '.join(PARTS)}")
    parser.add_argument("--map", type=Path, metavar="FOLDER", help="map every shard of FOLDER and print the memory")
    return run(parser, compare, argv)


if __name__ == "__main__":
    sys.exit(main())
