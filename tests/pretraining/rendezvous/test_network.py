"""The network that leads to the others is taken where the machine's own name leads to the machine alone."""

import os
import socket
from types import SimpleNamespace

import psutil
import pytest

from pretraining.rendezvous import network


@pytest.fixture
def own_name(monkeypatch: pytest.MonkeyPatch) -> str:
    """The machine's name leads to 127.0.1.1, it has two networks, and the way to every other machine is the second."""
    monkeypatch.delenv(network.NAME, raising=False)
    whole = socket.getaddrinfo

    def getaddrinfo(host: str, *arguments: object, **named: object) -> list[tuple[object, ...]]:
        return whole("127.0.1.1" if host == socket.gethostname() else host, *arguments, **named)  # type: ignore[arg-type]

    def entry(address: str) -> list[SimpleNamespace]:
        return [SimpleNamespace(address=address)]

    monkeypatch.setattr(socket, "getaddrinfo", getaddrinfo)
    monkeypatch.setattr(
        psutil, "net_if_addrs", lambda: {"lo": entry("127.0.0.1"), "eth0": entry("10.0.0.1"), "ib0": entry("10.1.0.1")}
    )
    monkeypatch.setattr(network, "address_towards", lambda host: "127.0.0.1" if host.startswith("127.") else "10.1.0.1")
    return "127.0.1.1"


def test_the_network_that_leads_to_the_others(own_name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(network.NAME, "")
    network.choose_network(["127.0.1.1", "10.1.0.2"])
    assert os.environ[network.NAME] == "ib0"


def test_what_the_user_names_stays(own_name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(network.NAME, "eth0")
    network.choose_network(["10.1.0.2"])
    assert os.environ[network.NAME] == "eth0"


def test_ranks_of_one_machine_need_none(own_name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(network.NAME, "")
    network.choose_network(["127.0.0.1", "127.0.0.1"])
    assert os.environ[network.NAME] == ""


def test_a_name_that_others_may_reach_is_left_to_gloo(own_name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(network.NAME, "")
    reachable = [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("10.0.0.1", 0))]
    monkeypatch.setattr(socket, "getaddrinfo", lambda *arguments, **named: reachable)
    network.choose_network(["10.1.0.2"])
    assert os.environ[network.NAME] == ""


def test_the_way_to_oneself_and_nowhere() -> None:
    assert network.address_towards("127.0.0.1") == "127.0.0.1"
    assert network.address_towards("no-such-machine.invalid") == ""
