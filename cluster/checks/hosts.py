"""What nodes are called, and how a sentence names several of them."""

import os
import re
import socket
from collections import Counter
from collections.abc import Mapping, Sequence


def host_name(environment: Mapping[str, str] = os.environ) -> str:
    """This node: PREFLIGHT_HOST (for tests, and for containers, whose own names say nothing), Slurm's name of the node,
    or the host's own.
    """
    return environment.get("PREFLIGHT_HOST") or environment.get("SLURMD_NODENAME") or socket.gethostname()


def nodes_of_job(environment: Mapping[str, str] = os.environ) -> tuple[str, ...]:
    """The nodes of the Slurm step or job that this process is in; nothing outside Slurm."""
    return expand(environment.get("SLURM_STEP_NODELIST") or environment.get("SLURM_JOB_NODELIST") or "")


def expand(node_list: str) -> tuple[str, ...]:
    """Slurm's compressed list in full: ``gpu[003-004,9],cpu1`` gives gpu003, gpu004, gpu9, cpu1."""
    entries = re.findall(r"(?:[^,\[]|\[[^\]]*\])+", node_list)
    return tuple(host for entry in entries for host in _expand_entry(entry))


def _expand_entry(entry: str) -> list[str]:
    match = re.match(r"([^\[]*)\[([^\]]*)\](.*)", entry)
    if match is None:
        return [entry]
    prefix, numbers, rest = match.groups()
    found = []
    for part in numbers.split(","):
        first, _, last = part.partition("-")
        for number in range(int(first), int(last or first) + 1):
            found += [f"{prefix}{number:0{len(first)}d}{end}" for end in _expand_entry(rest)]
    return found


def distinct(hosts: Sequence[str]) -> tuple[str, ...]:
    """Every host once, in the order of its first rank."""
    return tuple(dict.fromkeys(hosts))


def listed(names: Sequence[object], most: int = 8) -> str:
    """``n1, n2 and n3``; of a long list the first ones and how many more."""
    words = [str(name) for name in names]
    if len(words) > most:
        return f"{', '.join(words[:most])} and {len(words) - most} more"
    return " and ".join(filter(None, [", ".join(words[:-1]), *words[-1:]]))


def named(hosts: Sequence[str], of: Sequence[str]) -> str:
    """The hosts once each; ``every node`` where these are all of several."""
    some, every = distinct(hosts), distinct(of)
    return "every node" if len(some) == len(every) > 1 else listed(some)


def odd_ones(values: Mapping[int, str]) -> tuple[str, dict[str, list[int]]]:
    """What most ranks have, and who has what else: the other values with their ranks.

    Where no value leads, that of the lowest rank among the leading ones is taken for the right one.
    """
    counts = Counter(values[rank] for rank in sorted(values))
    usual = counts.most_common(1)[0][0]  # of equal counts the one that was met first
    odd: dict[str, list[int]] = {}
    for rank in sorted(values):
        if values[rank] != usual:
            odd.setdefault(values[rank], []).append(rank)
    return usual, odd
