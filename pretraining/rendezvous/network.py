"""Which of a machine's networks gloo takes, where it would take the one that leads nowhere.

gloo listens at the address that the machine's own name has. Debian and Ubuntu write 127.0.1.1 there, which no other
machine can reach. NCCL never takes such a network by itself.
"""

import os
import socket
from collections.abc import Iterable

import psutil

NAME = "GLOO_SOCKET_IFNAME"


def choose_network(addresses: Iterable[str]) -> None:
    """Sets GLOO_SOCKET_IFNAME to the network that leads to the first of the other ranks' `addresses` that has one.

    Does nothing where the variable is set, or the machine's name has an address that others may reach.
    """
    if os.environ.get(NAME) or not _own_name_is_local():
        return
    for address in addresses:
        own = address_towards(address)
        if own and not _is_local(own) and (name := _interface_of(own)):
            os.environ[NAME] = name
            return


def address_towards(host: str, port: int = 9) -> str:
    """This machine's address on the way to `host`, empty where there is no way. Nothing is sent."""
    try:
        family, kind, _, _, target = socket.getaddrinfo(host, port, type=socket.SOCK_DGRAM)[0]
        with socket.socket(family, kind) as probe:
            probe.connect(target)
            return str(probe.getsockname()[0])
    except OSError:
        return ""


def _own_name_is_local() -> bool:
    try:
        found = socket.getaddrinfo(socket.gethostname(), None)
    except OSError:
        return True  # gloo takes the local one then
    return _is_local(str(found[0][4][0]))


def _is_local(address: str) -> bool:
    return address.startswith("127.") or address == "::1"


def _interface_of(address: str) -> str:
    for name, own in psutil.net_if_addrs().items():
        if any(entry.address.partition("%")[0] == address for entry in own):
            return str(name)
    return ""
