"""Versions of what has to be the same on all ranks, and a hash of this project's sources."""

import platform
from collections.abc import Sequence
from importlib.metadata import PackageNotFoundError, version

import torch

from cluster.checks.hosts import distinct, listed, odd_ones
from cluster.checks.meeting import Finding

PACKAGES = {"deepspeed": "deepspeed", "numpy": "numpy", "pyarrow": "pyarrow", "this project": "bert-pretraining"}
STAGES = ("preprocessing", "pretraining", "finetuning", "cluster")
SOURCES = "sources"
NEEDED_TO_ADD_UP = ("device", "torch", "CUDA", "NCCL")
"""Where these differ, a sum over the ranks would end in a hang rather than in an answer."""


class Versions(Finding):
    """What one rank runs on: name → version."""

    versions: dict[str, str]


def measure(host: str, rank: int, device: torch.device) -> Versions:
    """The versions of this process."""
    found = {"python": platform.python_version(), "torch": torch.__version__, "device": device.type}
    for name, package in PACKAGES.items():
        try:
            found[name] = version(package)
        except PackageNotFoundError:
            found[name] = "not installed"
    if device.type == "cuda":
        found["CUDA"] = str(torch.version.cuda)
        found["NCCL"] = ".".join(map(str, torch.cuda.nccl.version()))
    return Versions(host=host, rank=rank, versions=found | {SOURCES: hash_of_sources()})


def hash_of_sources() -> str:
    """Twelve hexadecimal digits over the names and contents of all modules and recipes."""
    from pretraining.rendezvous import code_version

    return code_version(STAGES)


def faults(findings: Sequence[Versions]) -> list[str]:
    """A sentence for every value that a minority of ranks has."""
    hosts = {finding.rank: finding.host for finding in findings}
    sentences = []
    for name in _names(findings):
        values = {finding.rank: finding.versions.get(name, "none") for finding in findings}
        usual, odd = odd_ones(values)
        others = listed(distinct([hosts[rank] for rank, value in values.items() if value == usual]))
        for value, ranks in odd.items():
            where = listed(distinct([hosts[rank] for rank in ranks]))
            if name == SOURCES:
                said = f"other sources of this project (hash {value}) than on {others} ({usual})"
                sentences.append(f"{where}: {said}; bring the checkout there to the same commit")
            elif name == "device":
                said = f"works on {_device(value)}, unlike {others} on {_device(usual)}"
                sentences.append(f"{where}: {said}; see whether `nvidia-smi` finds the GPUs there")
            else:
                said = f"{name} {value}, but {usual} on {others}"
                sentences.append(f"{where}: {said}; install the same versions on every node (`make setup`)")
    return sentences


def can_add_up(findings: Sequence[Versions]) -> bool:
    """Whether the ranks are alike enough to try a sum over them."""
    return all(len({finding.versions.get(name) for finding in findings}) == 1 for name in NEEDED_TO_ADD_UP)


def summary(findings: Sequence[Versions]) -> str:
    """The versions of rank 0."""
    return ", ".join(f"{name} {value}" for name, value in findings[0].versions.items())


def _names(findings: Sequence[Versions]) -> list[str]:
    return list(dict.fromkeys(name for finding in findings for name in finding.versions))


def _device(kind: str) -> str:
    return {"cuda": "a GPU", "cpu": "the CPU"}.get(kind, kind)
