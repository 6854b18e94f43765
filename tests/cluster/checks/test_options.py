"""Folders of shards are named with commas, as pretraining's, or one after the other."""

import pytest

from cluster.checks.options import Options
from cluster.errors import ClusterError
from cluster.preflight import parse


@pytest.mark.parametrize(
    "words", [["--shards", "a,b"], ["--shards", "a", "b"], ["--shards=a", "--shards", "b"], ["--shards", "a, b,"]]
)
def test_shards(words: list[str]) -> None:
    assert parse(words).shards == ("a", "b")


def test_what_the_deepspeed_launcher_adds_is_taken() -> None:
    assert parse(["--local_rank=3"]) == Options()


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["--timeout", "0"], "--timeout 0: input should be greater than 0"),
        (["--disk", "1"], "did you mean --disk-gib?"),
    ],
)
def test_mistakes(words: list[str], message: str) -> None:
    with pytest.raises(ClusterError, match=message.replace("?", r"\?")):
        parse(words)
