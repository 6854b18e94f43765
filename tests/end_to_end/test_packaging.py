"""The archive of the sources and the wheel that is built from it: what they hold, and the road from an installed wheel.

The road runs in a folder that has no checkout, on packages that come from the wheel; everything else is this Python's.
"""

import os
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from email.message import Message
from email.parser import Parser
from pathlib import Path

import pytest

pytestmark = pytest.mark.slow

BACKEND = "import sys, setuptools.build_meta as backend; getattr(backend, sys.argv[1])(sys.argv[2])"
STAGES = ("preprocessing", "pretraining", "finetuning", "cluster", "pages")
ONLY_OF_THE_CHECKOUT = {".gitignore", ".dockerignore"}
WORDS = [f"word{index}" for index in range(80)]


def tracked(repository: Path) -> list[str]:
    """The files of the repository, and those that are about to be."""
    words = ("git", "ls-files", "--cached", "--others", "--exclude-standard")
    listed = subprocess.run(words, cwd=repository, capture_output=True, text=True, check=True).stdout.splitlines()
    return sorted(name for name in listed if (repository / name).is_file())


@pytest.fixture(scope="module")
def built(repository: Path, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """The archive, and the wheel that was built from what is in it: no file of the checkout can help."""
    folder = tmp_path_factory.mktemp("packages")
    copy = folder / "copy"
    for name in tracked(repository):
        (copy / name).parent.mkdir(parents=True, exist_ok=True)
        (copy / name).write_bytes((repository / name).read_bytes())
    _build("build_sdist", copy, folder)
    (archive,) = folder.glob("*.tar.gz")
    with tarfile.open(archive) as file:
        file.extractall(folder / "unpacked", filter="data")
    (sources,) = (folder / "unpacked").iterdir()
    _build("build_wheel", sources, folder)
    (wheel,) = folder.glob("*.whl")
    return archive, wheel


def _build(what: str, sources: Path, target: Path) -> None:
    run = subprocess.run(
        [sys.executable, "-c", BACKEND, what, str(target)], cwd=sources, capture_output=True, text=True, check=False
    )
    assert run.returncode == 0, run.stderr


@pytest.fixture(scope="module")
def metadata(built: tuple[Path, Path]) -> Message:
    with zipfile.ZipFile(built[1]) as wheel:
        (name,) = (name for name in wheel.namelist() if name.endswith(".dist-info/METADATA"))
        return Parser().parsestr(wheel.read(name).decode())


def test_the_archive_holds_the_repository(repository: Path, built: tuple[Path, Path]) -> None:
    with tarfile.open(built[0]) as file:
        held = {name.partition("/")[2] for name in file.getnames()}
    assert sorted(set(tracked(repository)) - held - ONLY_OF_THE_CHECKOUT) == []


def test_the_wheel_holds_the_stages_and_nothing_else(repository: Path, built: tuple[Path, Path]) -> None:
    with zipfile.ZipFile(built[1]) as wheel:
        held = {name for name in wheel.namelist() if ".dist-info/" not in name}
    assert held == {name for name in tracked(repository) if name.startswith(tuple(f"{stage}/" for stage in STAGES))}


def test_types_are_said_to_be_there(built: tuple[Path, Path], metadata: Message) -> None:
    with zipfile.ZipFile(built[1]) as wheel:
        names = wheel.namelist()
        packages = {name.partition("/")[0] for name in names if ".dist-info/" not in name}
    assert [package for package in sorted(packages) if f"{package}/py.typed" not in names] == []
    assert "Typing :: Typed" in metadata.get_all("Classifier", [])


def test_the_metadata_is_that_of_the_project(repository: Path, metadata: Message, built: tuple[Path, Path]) -> None:
    project = tomllib.loads((repository / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    assert (metadata["Name"], metadata["Version"]) == (project["name"], project["version"])
    assert metadata["Requires-Python"] == project["requires-python"]
    assert metadata["License-Expression"] == project["license"]
    assert metadata["Summary"] == project["description"]
    assert metadata["Description-Content-Type"] == "text/markdown"
    assert metadata.get_payload() == (repository / "README.md").read_text(encoding="utf-8")
    assert sorted(metadata.get_all("Provides-Extra", [])) == sorted(project["optional-dependencies"])
    with zipfile.ZipFile(built[1]) as wheel:
        (entries,) = (wheel.read(name).decode() for name in wheel.namelist() if name.endswith("entry_points.txt"))
        assert any(name.endswith(".dist-info/licenses/LICENSE") for name in wheel.namelist())
    assert entries.split() == ["[console_scripts]", "beam", "=", "cluster.beam:main"]


class Elsewhere:
    """A folder without a checkout, and the commands of an installed wheel."""

    def __init__(self, folder: Path, site: Path) -> None:
        self.folder, self.site = folder, site

    def run(self, *words: str, code: int = 0) -> subprocess.CompletedProcess[str]:
        """Runs `python …` here; `beam` is the console script that was installed."""
        environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
        environment |= {"PYTHONPATH": str(self.site), "OMP_NUM_THREADS": "1"}
        start = [str(self.site / "bin" / "beam"), *words[1:]] if words[0] == "beam" else [sys.executable, *words]
        run = subprocess.run(start, cwd=self.folder, env=environment, capture_output=True, text=True, check=False)
        assert run.returncode == code, f"{' '.join(words)}: {run.returncode}\n{run.stdout}\n{run.stderr}"
        return run


@pytest.fixture(scope="module")
def elsewhere(built: tuple[Path, Path], tmp_path_factory: pytest.TempPathFactory) -> Elsewhere:
    folder = tmp_path_factory.mktemp("elsewhere")
    site = folder / "site"
    words = ("install", "--quiet", "--disable-pip-version-check", "--no-deps", "--no-index", "--target", str(site))
    subprocess.run([sys.executable, "-m", "pip", *words, str(built[1])], check=True, capture_output=True)
    (folder / "work").mkdir()
    return Elsewhere(folder / "work", site)


def test_the_packages_are_those_of_the_wheel(elsewhere: Elsewhere) -> None:
    names = "pages, preprocessing, pretraining, finetuning, cluster"
    said = elsewhere.run("-c", f"import {names}; print(*(m.__file__ for m in ({names})), sep='\\n')").stdout
    assert [Path(line).parents[1] for line in said.splitlines()] == [elsewhere.site] * 5


@pytest.mark.timeout(1800)
def test_the_road(elsewhere: Elsewhere) -> None:
    """Vocabulary, shards, two steps, a model that fills a gap: commands and recipes by the names that README gives."""
    books = elsewhere.folder / "books"
    books.mkdir()
    for book in range(6):
        lines = (" ".join(WORDS[(book + line * 7 + at) % 80] for at in range(9)) for line in range(60))
        (books / f"{book}.txt").write_text("".join(f"The {line}.\n\n" for line in lines))
    text = ("--books", "books/*.txt", "--engine", "local", "--workers", "1")
    size = ("--vocabulary-size", "300")
    elsewhere.run("beam", "run", "preprocessing/vocabulary.py", *text, *size, "--output", "vocabulary")
    small = ("--sequence-lengths", "32", "--heldout-fraction", "0.2", "--vocab", "vocabulary", "--output", "shards")
    elsewhere.run(
        "beam", "run", "preprocessing/pipeline.py", *text, *small, "--config", "preprocessing/recipes/bert-2018.toml"
    )
    assert "intact" in elsewhere.run("-m", "preprocessing.verify", "shards").stdout
    steps = ("--training.steps", "2", "--schedule.warmup_steps", "1", "--data.sequence_length", "32")
    recipe = ("--config", "pretraining/recipes/demo-phase1.toml", "--data.shards=shards", "--output.folder=run")
    elsewhere.run("-m", "pretraining.main", *recipe, *steps, "--evaluation.every", "2", "--checkpoint.every", "2")
    assert (elsewhere.folder / "run" / "report.html").is_file()
    assert "[MASK]" in elsewhere.run("-m", "pretraining.fill_mask", "--model", "run/export", "the [MASK] word1").stdout
    cards = ("--gpus", "2", "--gpu", "h100")
    assert "h100" in elsewhere.run("-m", "pretraining.plan", *recipe[:2], *cards).stdout.lower()


def test_slurm_scripts_and_languages_come_along(elsewhere: Elsewhere) -> None:
    snapshot = elsewhere.run("-m", "cluster.snapshot", "copies").stdout.strip()
    names = {path.relative_to(snapshot).as_posix() for path in Path(snapshot).rglob("*") if path.is_file()}
    assert {
        "cluster/slurm/pretrain.sbatch",
        "preprocessing/languages/de.toml",
        "cluster/recipes/bert-large.toml",
    } <= names


def test_what_is_not_there_is_said_in_a_sentence(elsewhere: Elsewhere) -> None:
    run = elsewhere.run("beam", "run", "preprocessing/none.py", code=2)
    assert run.stderr == "beam: beam run preprocessing/none.py: no such file\n"
    run = elsewhere.run("-m", "pretraining.plan", "--config", "pretraining/recipes/none.toml", "--gpus", "1", code=2)
    assert "--config pretraining/recipes/none.toml: there is no such file." in run.stderr
