"""Command lines of stages."""

from pathlib import Path

import pytest

from cluster.errors import ClusterError
from cluster.stages.commands import input_files, matching, pretrain, require_checkout, sources


def test_only_what_was_given_is_named() -> None:
    assert sources("dump.bz2", None) == ["--wikipedia", "dump.bz2"]
    assert sources(None, "books/*.txt") == ["--books", "books/*.txt"]


def test_files_of_a_pattern_are_sorted_and_no_folders(tmp_path: Path) -> None:
    for name in ("b.txt", "a.txt"):
        (tmp_path / name).write_text("")
    (tmp_path / "c.txt").mkdir()
    assert matching(f"{tmp_path}/*.txt") == [f"{tmp_path}/a.txt", f"{tmp_path}/b.txt"]
    assert input_files((None, f"{tmp_path}/a*")) == (tmp_path / "a.txt",)
    with pytest.raises(ClusterError, match="matches no file"):
        matching(f"{tmp_path}/*.epub")


def test_pretraining_names_a_recipe_and_its_ranks() -> None:
    words = pretrain("mini", 3, Path("shards"), Path("run"), "--training.steps=5")
    assert words[1:] == (
        *("--num_gpus", "3", "pretraining/main.py", "--config", "pretraining/recipes/mini.toml"),
        *("--data.shards=shards", "--output.folder=run", "--training.steps=5"),
    )


def test_elsewhere_than_in_a_checkout_is_said(
    repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(repository)
    require_checkout()
    monkeypatch.chdir(tmp_path)
    with pytest.raises(ClusterError, match="is not the root of a checkout"):
        require_checkout()
