"""Names of nodes, and which of several values is the odd one."""

import socket

import pytest

from cluster.checks.hosts import expand, host_name, listed, named, nodes_of_job, odd_ones


@pytest.mark.parametrize(
    ("text", "hosts"),
    [
        ("", ()),
        ("n1", ("n1",)),
        ("gpu[003-005,9],cpu1", ("gpu003", "gpu004", "gpu005", "gpu9", "cpu1")),
        ("gpu[098-101]", ("gpu098", "gpu099", "gpu100", "gpu101")),
        ("r[1-2]n[07-08]-x", ("r1n07-x", "r1n08-x", "r2n07-x", "r2n08-x")),
    ],
)
def test_expand(text: str, hosts: tuple[str, ...]) -> None:
    assert expand(text) == hosts


def test_the_name_of_this_host() -> None:
    assert host_name({"PREFLIGHT_HOST": "a", "SLURMD_NODENAME": "b"}) == "a"
    assert host_name({"SLURMD_NODENAME": "b"}) == "b"
    assert host_name({}) == socket.gethostname()


def test_the_nodes_of_a_step_go_before_those_of_the_job() -> None:
    assert nodes_of_job({"SLURM_STEP_NODELIST": "n[1-2]", "SLURM_JOB_NODELIST": "n[1-4]"}) == ("n1", "n2")
    assert nodes_of_job({"SLURM_JOB_NODELIST": "n3"}) == ("n3",)
    assert nodes_of_job({}) == ()


def test_names_in_a_sentence() -> None:
    assert listed(["n1"]) == "n1"
    assert listed(["n1", "n2", "n3"]) == "n1, n2 and n3"
    assert listed(range(20), most=3) == "0, 1, 2 and 17 more"
    assert named(["n2", "n2"], ["n1", "n1", "n2", "n2"]) == "n2"
    assert named(["n1", "n2"], ["n1", "n2"]) == "every node"
    assert named(["n1"], ["n1"]) == "n1"


def test_the_minority_is_odd_and_with_equal_numbers_the_later_ranks() -> None:
    assert odd_ones({0: "old", 1: "new", 2: "new"}) == ("new", {"old": [0]})
    assert odd_ones({0: "a", 1: "b", 2: "a", 3: "b"}) == ("a", {"b": [1, 3]})
    assert odd_ones({0: "a", 1: "b", 2: "c"}) == ("a", {"b": [1], "c": [2]})
    assert odd_ones({0: "a", 1: "a"}) == ("a", {})
