from pathlib import Path

import pytest

from tests.documented_commands.collecting import Command, commands_of


def collected(text: str, folder: Path) -> list[Command]:
    (folder / "page.md").write_text(text)
    return commands_of(folder / "page.md")


@pytest.mark.parametrize(
    ("block", "words"),
    [
        ("    make demo     # the whole road", ["make demo"]),
        ("    python -m a.b --x 'c d'\n    beam run a.py", ["python -m a.b --x 'c d'", "beam run a.py"]),
        ("    python -m a.b \\\n        --x 1    # of both", ["python -m a.b --x 1"]),
        ("```bash\nanything --at-all 1\n$ make x\n# a remark\n```", ["anything --at-all 1", "make x"]),
        ("- in a list:\n\n      python -m a.b --x 1\n", ["python -m a.b --x 1"]),
        ("    NAME=1 python -m a.b", ["python -m a.b"]),
        ("    cat x | python -m a.b --input - | head", ["python -m a.b --input -"]),
        ("    python -m a.b --slurm | bash", ["python -m a.b --slurm"]),
        ("    dask worker --x 1 &", ["dask worker --x 1"]),
        ("    srun python -m a.b --x", ["srun", "python -m a.b --x"]),
        ("    cluster/restart.sh torchrun --n 2 a/b.py --x", ["cluster/restart.sh", "torchrun --n 2 a/b.py --x"]),
        ("    python -m a.b --m F -- beam run a.py --x …", ["python -m a.b --m F", "beam run a.py --x VALUE"]),
        ("    beam run a.py --x scheduler.json …", ["beam run a.py --x scheduler.json"]),
        ("    text,stars\n    good,1", []),
        ("    from a import b\n    b()", []),
        ("```toml\nmake = 1\n```", []),
        ("```text\nmake demo\n```", []),
        ("    make x\n    output of it", ["make x"]),
        ("    make x <<'END'\n    python\n    END\n    make y", ["make x", "make y"]),
    ],
)
def test_what_a_block_holds(block: str, words: list[str], tmp_path: Path) -> None:
    import shlex

    found = collected(f"Text.\n\n{block}\n\nMore.\n", tmp_path)
    assert [shlex.join(command.words) for command in found] == words
    assert all(command.in_block for command in found)


def test_what_a_sentence_names(tmp_path: Path) -> None:
    found = collected("It is `python -m a.b --x 1`, not `a.b`; `make` makes, `beam run FILE` runs.\n", tmp_path)
    assert [(command.words, command.in_block) for command in found] == [
        (("python", "-m", "a.b", "--x", "1"), False),
        (("beam", "run", "FILE"), False),
    ]


@pytest.mark.parametrize(
    ("line", "program", "options"),
    [
        ("python -m a.b FILE --x=1 --y 2 -z", "python -m a.b", ["--x", "--y"]),
        ("python -m cluster.submit status FILE --watch", "python -m cluster.submit status", ["--watch"]),
        ("python -m cluster.submit FILE --dry-run", "python -m cluster.submit", ["--dry-run"]),
        ("beam run preprocessing/pipeline.py --x 1", "beam run preprocessing/pipeline.py", ["--x"]),
        (
            "deepspeed --num_gpus 8 pretraining/main.py --data.shards=S",
            "deepspeed pretraining/main.py",
            ["--data.shards"],
        ),
        ("sbatch --nodes=8 a/b.sbatch --x 1", "sbatch a/b.sbatch", ["--x"]),
        ("make x y", "make x", []),
        ("pip install -e '.[s3]'", "pip install", []),
        ("scancel 5", "scancel", []),
    ],
)
def test_program_and_options(line: str, program: str, options: list[str], tmp_path: Path) -> None:
    [command] = collected(f"    {line}\n", tmp_path)
    assert (command.program, command.options) == (program, options)


def test_it_says_where_it_stands(tmp_path: Path) -> None:
    assert [str(command) for command in collected("    make 'x y'\n", tmp_path)] == ["page.md: make 'x y'"]
