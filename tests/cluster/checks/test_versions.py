"""Which node has other versions."""

import torch

from cluster.checks.versions import Versions, can_add_up, faults, hash_of_sources, measure, summary

USUAL = {"python": "3.11", "torch": "2.13", "device": "cuda", "NCCL": "2.28", "sources": "aaaa"}


def findings(**odd: str) -> list[Versions]:
    """Four ranks on two nodes and one more on a third, n3, which has something else."""
    usual = [Versions(host=host, rank=rank, versions=USUAL) for rank, host in enumerate(["n1", "n1", "n2", "n2"])]
    return [*usual, Versions(host="n3", rank=4, versions={**USUAL, **odd})]


def test_equal_versions_are_no_fault() -> None:
    assert faults(findings()) == []
    assert can_add_up(findings())


def test_the_minority_is_named() -> None:
    assert faults(findings(torch="2.12")) == [
        "n3: torch 2.12, but 2.13 on n1 and n2; install the same versions on every node (`make setup`)"
    ]
    (sentence,) = faults(findings(sources="bbbb"))
    assert sentence.startswith("n3: other sources of this project (hash bbbb) than on n1 and n2 (aaaa); bring the")


def test_a_node_without_gpus_is_named_and_no_sum_is_tried() -> None:
    bare = Versions(host="n3", rank=4, versions={"python": "3.11", "torch": "2.13", "device": "cpu", "sources": "aaaa"})
    sentences = faults([*findings()[:4], bare])
    assert sentences[0].startswith("n3: works on the CPU, unlike n1 and n2 on a GPU; see whether `nvidia-smi`")
    assert sentences[1].startswith("n3: NCCL none, but 2.28 on n1 and n2")
    assert not can_add_up([*findings()[:4], bare])
    assert can_add_up(findings(python="3.12", sources="bbbb"))


def test_measured_here() -> None:
    found = measure("n1", 0, torch.device("cpu"))
    assert found.versions["torch"] == torch.__version__
    assert found.versions["sources"] == hash_of_sources()
    assert {"python", "deepspeed", "numpy", "pyarrow", "this project"} <= found.versions.keys()
    assert "NCCL" not in found.versions
    assert f"torch {torch.__version__}" in summary([found])
