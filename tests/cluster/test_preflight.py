"""The preflight in real processes: several ranks, each on a node of its own by the name that it gives."""

import os
import shutil
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from benchmarks.synthetic_shards import write_shards

QUICK = ("--memory-gib=0.02", "--exchange-mib=0.1", "--slow-device=0", "--slow-node=0")
"""Little to do; how fast this machine is, busy or not, is no fault here."""
FAULTY = str(Path(__file__).with_name("faulty_rank.py"))


@dataclass(frozen=True)
class Rank:
    """How one rank ended."""

    code: int
    output: str
    errors: tuple[str, ...]


@pytest.fixture
def preflight(repository: Path, tmp_path: Path) -> Callable[..., list[Rank]]:
    """preflight(*options, ranks=, faults={rank: names}, places={rank: folder of the sources}, nodes=)"""

    def preflight(
        *options: str | Path,
        ranks: tuple[int, ...] = (0, 1, 2),
        world_size: int = 3,
        faults: dict[int, str] | None = None,
        places: dict[int, Path] | None = None,
        nodes: str = "",
    ) -> list[Rank]:
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = str(probe.getsockname()[1])
        shared = {"WORLD_SIZE": str(world_size), "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port}
        shared |= {"OMP_NUM_THREADS": "1", "LOCAL_RANK": "0", "SLURM_JOB_NODELIST": nodes}
        processes = []
        for rank in ranks:
            place = (places or {}).get(rank, repository)
            fault = (faults or {}).get(rank)
            program = [FAULTY, fault] if fault else ["-m", "cluster.preflight"]
            own = {"RANK": str(rank), "PREFLIGHT_HOST": f"n{rank + 1}", "PYTHONPATH": str(place)}
            with (tmp_path / f"out{rank}").open("w") as output, (tmp_path / f"err{rank}").open("w") as errors:
                command = [sys.executable, *program, *QUICK, *map(str, options)]
                environment = {**os.environ, **shared, **own}
                processes.append(subprocess.Popen(command, cwd=place, env=environment, stdout=output, stderr=errors))
        try:
            codes = [process.wait(timeout=300) for process in processes]
        finally:
            for process in processes:
                process.kill()
        found = []
        for rank, code in zip(ranks, codes, strict=True):
            lines = (tmp_path / f"err{rank}").read_text().splitlines()
            said = tuple(line.removeprefix("preflight: ") for line in lines if line.startswith("preflight: "))
            found.append(Rank(code, (tmp_path / f"out{rank}").read_text(), said))
        return found

    return preflight


@pytest.fixture
def shards(tmp_path: Path) -> Path:
    return write_shards(tmp_path / "shards", rows=20, heldout_rows=5)


@pytest.mark.slow
def test_all_is_well(preflight: Callable[..., list[Rank]], shards: Path, tmp_path: Path) -> None:
    first, *others = preflight("--output", tmp_path / "run", "--shards", shards)
    assert first.errors == ()
    lines = first.output.splitlines()
    assert [line.split()[1] for line in lines] == (
        ["ranks", "versions", "clocks", "matrices", "memory", "sum", "pairs", "output", "shards", "all", "all"]
    )
    assert lines[0].endswith("3 on 3 nodes: n1, n2 and n3")
    assert "4 files on 3 nodes, 4 of them hashed" in lines[8]
    assert lines[-1] == "preflight: all is well"
    assert [rank.output for rank in others] == ["", ""]
    assert [rank.code for rank in (first, *others)] == [0, 0, 0]
    assert list((tmp_path / "run").iterdir()) == []


@pytest.mark.slow
def test_every_fault_is_said_with_its_node(
    preflight: Callable[..., list[Rank]], shards: Path, tmp_path: Path, repository: Path
) -> None:
    """An old checkout on n3, a wrong clock and wrong sums on n2, and a flipped byte in a file."""
    old = tmp_path / "old"
    for package in ("preprocessing", "pretraining", "finetuning", "cluster"):
        shutil.copytree(repository / package, old / package, ignore=shutil.ignore_patterns("__pycache__"))
    with (old / "pretraining" / "errors.py").open("a") as file:
        file.write("# as it was\n")
    broken = sorted((shards / "train").rglob("*.arrow"))[1]
    content = bytearray(broken.read_bytes())
    content[100] ^= 1
    broken.write_bytes(content)

    ranks = preflight("--shards", shards, faults={1: "clock_an_hour_ahead,receives_wrongly"}, places={2: old})
    assert [rank.code for rank in ranks] == [2, 2, 2]
    sources, clock, *pairs, shard, count = ranks[0].errors
    assert sources.startswith("n3: other sources of this project (hash ")
    assert clock.startswith("n2: its clock is 3600.0 s ahead of that of n1, more than 2 s;")
    assert sorted(sentence.split(": ")[0] for sentence in pairs[:2]) == ["n1 and n2", "n2 and n3"]
    assert all(
        ": the sum of what the two exchanged is wrong (1 of 26214 numbers, the first " in pair for pair in pairs[:2]
    )
    assert [sentence.split(";")[0] for sentence in pairs[2:]] == ["n2: it is in 2 of the 2 pairs with a wrong sum"]
    assert f": {broken} is not as it was written (sha256 " in shard
    assert shard[:4] in ("n1: ", "n2: ", "n3: ")
    assert count == "6 faults, see above"
    assert "all is well" not in ranks[0].output
    assert [rank.errors for rank in ranks[1:]] == [(), ()]


@pytest.fixture
def closed_folder(tmp_path: Path) -> Iterator[tuple[Path, str]]:
    """A folder that cannot be written, and the system's reason: a full disk for root, whom no permission stops."""
    folder = tmp_path / "closed"
    folder.mkdir()
    if os.geteuid() != 0:
        folder.chmod(0o555)
        yield folder, "Permission denied"
        folder.chmod(0o755)
        return
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=512k", "tmpfs", folder], check=False).returncode != 0:
        pytest.skip("root may not mount a small disk here")
    yield folder, "No space left on device"
    subprocess.run(["umount", folder], check=True)


@pytest.mark.slow
def test_a_full_or_closed_disk(preflight: Callable[..., list[Rank]], closed_folder: tuple[Path, str]) -> None:
    folder, reason = closed_folder
    ranks = preflight("--output", folder / "run", ranks=(0, 1), world_size=2)
    assert [rank.code for rank in ranks] == [2, 2]
    assert ranks[0].errors[0].startswith(f"n1: {folder}/run cannot be written ({reason}); mend that, or give a folder")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("nodes", "sentence"),
    [
        ("n[1-3]", "n3: rank 2 of 3 did not come within 2 s, and no rank came from there; see whether the node is up"),
        ("", "rank 2 of 3 did not come within 2 s; ranks came from n1 and n2; see in the job's log what became"),
    ],
)
def test_a_rank_that_never_comes(preflight: Callable[..., list[Rank]], nodes: str, sentence: str) -> None:
    ranks = preflight("--timeout=2", ranks=(0, 1), nodes=nodes, faults={0: "counts_late"})
    assert ranks[0].errors[0].startswith(sentence)
    assert [rank.code for rank in ranks] == [2, 2]
    assert len(ranks[0].errors) == 1


def test_rank_0_that_never_comes(preflight: Callable[..., list[Rank]]) -> None:
    (rank,) = preflight("--timeout=1", ranks=(1,))
    assert rank.code == 2
    assert rank.errors[0].startswith("n2: rank 1 found nobody at 127.0.0.1:")


@pytest.mark.slow
def test_a_rank_that_fails_ends_the_others_at_once(preflight: Callable[..., list[Rank]]) -> None:
    ranks = preflight(faults={1: "device_fails"})
    assert ranks[0].errors == ("n2: rank 1 could not go on (the device is lost)", "1 fault, see above")
    assert [rank.code for rank in ranks] == [2, 2, 2]


def test_alone(preflight: Callable[..., list[Rank]]) -> None:
    (rank,) = preflight(ranks=(0,), world_size=1)
    assert rank.code == 0
    assert "1 on 1 node: n1" in rank.output
