"""The tournament, and which node the pairs point to."""

import itertools

import pytest

from cluster.checks.pairs import Exchange, Exchanges, bandwidths, faults, joined, rounds, summary


@pytest.mark.parametrize("count", [0, 1, 2, 3, 4, 5, 7, 8, 63, 64])
def test_everybody_meets_everybody_once_and_nobody_is_in_two_places(count: int) -> None:
    players = [8 * place for place in range(count)]  # first ranks of nodes with eight
    tournament = rounds(players)
    for pairs in tournament:
        assert len({player for pair in pairs for player in pair}) == 2 * len(pairs)
    assert sorted(pair for pairs in tournament for pair in pairs) == list(itertools.combinations(players, 2))
    assert len(tournament) == (0 if count < 2 else count - 1 if count % 2 == 0 else count)


def findings(nodes: int, **of_pair: dict[str, object]) -> list[Exchanges]:
    """What the nodes n1, n2, … saw: 10 GB/s, and of the pairs that are given what is said of them."""
    seen: dict[int, list[Exchange]] = {node: [] for node in range(nodes)}
    for number, pairs in enumerate(rounds(range(nodes))):
        for low, high in pairs:
            names = (f"n{low + 1}", f"n{high + 1}")
            said = {"bandwidth": 10e9, **of_pair.get("_".join(names), {})}
            for node in (low, high):
                seen[node].append(Exchange.model_validate({"round": number, "hosts": names, **said}))
    return [Exchanges(host=f"n{node + 1}", rank=node, exchanges=tuple(found)) for node, found in seen.items()]


def test_right_exchanges() -> None:
    found = findings(4, n2_n3={"bandwidth": 8e9})
    assert faults(found, 0.33) == []
    assert len(joined(found)) == 6
    assert summary(found) == "6 between nodes, each sum right, median 10.00 GB/s each way, slowest 8.00 (n2 and n3)"
    assert summary(findings(1)) == "one node"
    assert faults(findings(1), 0.33) == []


def test_what_one_of_the_two_sees_counts() -> None:
    one, other = findings(2)
    (exchange,) = other.exchanges
    other = other.model_copy(update={"exchanges": (exchange.model_copy(update={"wrong": "w", "bandwidth": 1e9}),)})
    (pair,) = joined([one, other])
    assert (pair.wrong, pair.bandwidth) == ("w", 1e9)


def test_a_wrong_pair_is_named_but_no_node_where_one_pair_cannot_tell() -> None:
    (sentence,) = faults(findings(3, n1_n3={"wrong": "1 of 9 numbers, the first 0 and not 1"}), 0.33)
    assert sentence.startswith("n1 and n3: the sum of what the two exchanged is wrong (1 of 9 numbers, the first 0 and")


def test_the_node_in_most_wrong_pairs_is_named() -> None:
    wrong = {"wrong": "w"}
    sentences = faults(findings(4, n1_n3=wrong, n2_n3=wrong, n3_n4=wrong, n1_n2=wrong), 0.33)
    assert len(sentences) == 5
    assert sentences[-1].startswith("n3: it is in 3 of the 4 pairs with a wrong sum; leave it out (`--exclude=n3`)")
    assert len(faults(findings(4, n1_n2=wrong, n3_n4=wrong), 0.33)) == 2  # each of the four in one


@pytest.mark.parametrize("nodes", [3, 4, 5])
def test_a_slow_node_is_named(nodes: int) -> None:
    slow = {f"n{node}_n{nodes}": {"bandwidth": 1e9} for node in range(1, nodes)}
    (sentence,) = faults(findings(nodes, **slow), 0.33)
    assert sentence.startswith(f"n{nodes}: 1 GB/s to the other nodes, 10% of the median of all (10); see its network")
    assert faults(findings(nodes, **slow), 0.0) == []


def test_a_slow_pair_alone_is_no_slow_node() -> None:
    found = findings(4, n1_n2={"bandwidth": 1e9})
    assert set(bandwidths(joined(found)).values()) == {10e9}
    assert faults(found, 0.33) == []


def test_of_exchanges_that_failed_the_first_round_counts() -> None:
    names = ["_".join(f"n{node + 1}" for node in pairs[0]) for pairs in rounds(range(4))]
    found = findings(4, **{names[1]: {"error": "reset by peer", "bandwidth": 0.0}, names[2]: {"error": "timed out"}})
    (sentence,) = faults(found, 0.33)
    assert sentence.startswith(
        f"{names[1].replace('_', ' and ')}: the two could not exchange anything (reset by peer);"
    )
