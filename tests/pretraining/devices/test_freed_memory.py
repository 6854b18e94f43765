"""Freed memory that stays with the process, seen by the pages that the kernel has to hand out."""

import os
import subprocess
import sys

import pytest

pytestmark = pytest.mark.skipif(not sys.platform.startswith("linux"), reason="a setting of glibc")

FAULTS = """
import resource, sys, torch
from pretraining.devices.freed_memory import keep_freed_memory
print(keep_freed_memory() if sys.argv[1] == "keep" else None)
def step():
    tensors = [torch.ones(12 << 20) for _ in range(3)]  # 48 MiB each, above what glibc keeps
for _ in range(8):  # blocks find their places
    step()
before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
step()
print(resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before)
"""
PAGES = 3 * (48 << 20) // 4096


def run(what: str, **environment: str) -> tuple[str, int]:
    others = {name: value for name, value in os.environ.items() if not name.startswith(("MALLOC_", "GLIBC_"))}
    output = subprocess.run(
        [sys.executable, "-c", FAULTS, what], env={**others, **environment}, capture_output=True, text=True, check=True
    )
    said, faults = output.stdout.split()
    return said, int(faults)


def test_a_step_takes_the_memory_of_those_before() -> None:
    said, faults = run("keep")
    assert said == "True"
    assert faults < PAGES / 20
    said, faults = run("leave")
    assert said == "None"
    assert faults > PAGES / 2  # else this test says nothing


@pytest.mark.parametrize(
    "environment", [{"MALLOC_MMAP_THRESHOLD_": "262144"}, {"GLIBC_TUNABLES": "glibc.malloc.trim_threshold=1"}]
)
def test_what_the_user_has_set_stays(environment: dict[str, str]) -> None:
    said, faults = run("keep", **environment)
    assert said == "False"
    assert faults > PAGES / 2
