"""What a `run.toml` may say: every mistake is one sentence that names the file and the table."""

from pathlib import Path

import pytest

from cluster.chain.configuration import read_configuration
from cluster.errors import ClusterError

RIGHT = '[run]\noutput = "out"\n[preprocess]\n'

WRONG = [
    ("[run", "is not TOML"),
    ("output = 'x'\n", "unknown table [output]"),
    ("[phase3]\n" + RIGHT, "unknown table [phase3]; did you mean phase"),
    ("slurm = 3\n" + RIGHT, "slurm = 3 is no table"),
    ('[run]\noutput = "out"\n', "has no stage"),
    ("[preprocess]\n", "[run] output is missing"),
    ("[run]\noutput = ' '\n[preprocess]\n", "[run] output is missing"),
    ("[run]\noutput = 3\n[preprocess]\n", "[run] output is missing"),
    ("[run]\noutput = 's3://bucket/x'\n[preprocess]\n", "not a remote address"),
    ("[run]\noutputs = 'x'\n[preprocess]\n", "[run] has no key 'outputs'; did you mean output?"),
    (RIGHT + "[slurm.phase]\nnodes = 1\n", "[slurm.phase] is no stage; did you mean phase"),
    (RIGHT + "[slurm]\ndependency = 'afterok:1'\n", "[slurm] dependency is given by the chain itself"),
    (RIGHT + "[slurm.phase1]\njob_name = 'x'\n", "[slurm.phase1] job_name is given by the chain itself"),
    (RIGHT + "[slurm]\nN = 3\n", "write a long option of sbatch"),
    (RIGHT + "[slurm]\nnodes = [1]\n", "write a long option of sbatch"),
    (RIGHT + "[slurm]\nvariables = 3\n", "variables must be a table"),
    (RIGHT + "[slurm.phase1.variables]\nA = [1]\n", "[slurm.phase1] variables must be a table"),
    (RIGHT + "[slurm.variables]\n'a-b' = 1\n", "variables.a-b"),
    (RIGHT + "[slurm.variables]\nA = true\n", "a variable of the shell has a text"),
    (RIGHT + "[slurm.variables]\nPIPELINE = 'x'\n", "variables.PIPELINE is given by the chain"),
    (RIGHT + "[slurm.variables]\nSLURM_JOB_ID = 1\n", "variables.SLURM_JOB_ID is given by the chain or by Slurm"),
    (RIGHT + "[slurm]\nphase1 = 3\n", "[slurm] phase1 = 3 is no table; write [slurm.phase1]"),
    (RIGHT + "[slurm]\noutpu = 'x'\n", "[slurm] outpu is given by the chain itself"),
    (RIGHT + "[slurm]\nwai = true\n", "[slurm] wai is given by the chain itself"),
    (RIGHT + "[slurm]\n'' = 1\n", "write a long option of sbatch"),
    (RIGHT + "[slurm]\n'nodes=1 x' = 1\n", "write a long option of sbatch"),
    (RIGHT + "[slurm]\npartition = 'a\\u0000'\n".replace("'", '"'), "has a control character"),
    (RIGHT + 'text = [["a\\nb"]]\n', "has a control character"),
    (RIGHT + f"x = {'[' * 2000}{']' * 2000}\n", "is not TOML"),
    *(
        (f"[run]\noutput = '{folder}'\n[preprocess]\n", message)
        for folder, message in (
            ("~/out", "~ means nothing here; write the folder's whole path"),
            ("$SCRATCH/out", "$ means nothing here"),
            ("-out", "give a folder without commas, backslashes or a '-' in front"),
            ("a,b", "give a folder without commas"),
            ("a\\b", "give a folder without commas"),
        )
    ),
]


@pytest.mark.parametrize(("text", "message"), WRONG)
def test_a_mistake_is_one_sentence(tmp_path: Path, text: str, message: str) -> None:
    file = tmp_path / "run.toml"
    file.write_text(text)
    with pytest.raises(ClusterError) as failure:
        read_configuration(file)
    assert message in str(failure.value)
    assert str(failure.value).startswith(str(file))
    assert "\n" not in str(failure.value)


def test_a_file_that_is_not_there_or_no_text(tmp_path: Path) -> None:
    with pytest.raises(ClusterError, match="there is no such file"):
        read_configuration(tmp_path / "none.toml")
    with pytest.raises(ClusterError, match="cannot be read"):
        read_configuration(tmp_path)
    (tmp_path / "binary.toml").write_bytes(b"\xff\xfe")
    with pytest.raises(ClusterError, match="is not TOML"):
        read_configuration(tmp_path / "binary.toml")


def test_options_of_slurm(tmp_path: Path) -> None:
    file = tmp_path / "run.toml"
    slurm = "[slurm]\ncpus_per_task = 4\nmem = '8G'\n[slurm.variables]\nA = 1\n"
    slurm += "[slurm.phase2]\nmem = false\n[slurm.phase1]\nexclusive = true\nmem = 0\n"
    file.write_text(f"{RIGHT}{slurm}variables = {{ A = 2, B = 'x y' }}\n")
    slurm_options = read_configuration(file).slurm
    assert slurm_options["verify"].words == ("--cpus-per-task=4", "--mem=8G")
    assert slurm_options["verify"].variables == {"A": "1"}
    assert slurm_options["phase1"].words == ("--cpus-per-task=4", "--mem=0", "--exclusive")
    assert slurm_options["phase2"].words == ("--cpus-per-task=4",)
    assert slurm_options["phase1"].variables == {"A": "2", "B": "x y"}


def test_a_byte_order_mark_is_no_mistake(tmp_path: Path) -> None:
    file = tmp_path / "run.toml"
    file.write_text(RIGHT, encoding="utf-8-sig")
    assert read_configuration(file).output == Path("out")
