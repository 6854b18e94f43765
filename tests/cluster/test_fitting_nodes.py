"""How many nodes a run can use."""

from pathlib import Path

import pytest

from cluster.fitting_nodes import fitting_nodes, main
from pretraining.errors import PretrainingError


@pytest.mark.parametrize(
    ("nodes", "ranks_per_node", "fitting"), [(4, 8, 4), (3, 8, 2), (7, 8, 4), (1, 8, 1), (1, 1, 1), (5, 3, None)]
)
def test_as_many_as_the_batch_divides_among(
    nodes: int, ranks_per_node: int, fitting: int | None, capsys: pytest.CaptureFixture[str]
) -> None:
    if fitting is None:
        with pytest.raises(PretrainingError, match="256 does not divide among 15 ranks"):
            fitting_nodes(nodes, ranks_per_node, 256, 8)
        return
    assert fitting_nodes(nodes, ranks_per_node, 256, 8) == fitting
    said = capsys.readouterr().err
    assert said.startswith(f"of {nodes} nodes {fitting} are used: training.batch_size 256") == (nodes != fitting)


def test_a_micro_batch_may_fit_fewer_nodes_only(capsys: pytest.CaptureFixture[str]) -> None:
    assert fitting_nodes(4, 1, 16, 8) == 2
    assert "use --training.micro_batch_size 4" in capsys.readouterr().err


def test_the_command_takes_the_arguments_of_a_run(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "recipe.toml").write_text("[training]\nsteps = 2\nbatch_size = 32\nmicro_batch_size = 8\n")
    nodes = ["--nodes=3", "--ranks-per-node=2"]
    assert main([*nodes, "--config", str(tmp_path / "recipe.toml")]) == 0
    assert capsys.readouterr().out == "2\n"
    assert main([*nodes, "--config", str(tmp_path / "recipe.toml"), "--training.batch_size=9"]) == 2
    assert "does not divide among 6 ranks" in capsys.readouterr().err


def test_an_automatic_micro_batch_fits_all_nodes_that_the_batch_does(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "recipe.toml").write_text('[training]\nsteps = 2\nbatch_size = 24\nmicro_batch_size = "auto"\n')
    for nodes, fitting in ((3, 3), (4, 4), (5, 4)):
        arguments = [f"--nodes={nodes}", "--ranks-per-node=2", "--config", str(tmp_path / "recipe.toml")]
        assert main(arguments) == 0
        assert capsys.readouterr().out == f"{fitting}\n"
