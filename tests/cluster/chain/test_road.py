"""A `run.toml` as stages: what the stages' own commands would refuse is refused before anything is submitted."""

import shutil
from pathlib import Path

import pytest

from cluster.chain.road import read_chain
from cluster.errors import ClusterError
from tests.cluster.chain.conftest import FINETUNE, RECIPE, RUN, MadeUp

PHASE1 = '[phase1]\nrecipe = "recipe.toml"\n'

WRONG = [
    ('text = ["raw/*.txt"]', 'text = ["none/*.txt"]', "[preprocess] --text 'none/*.txt' matches no file"),
    ('text = ["raw/*.txt"]', "", "[preprocess] there is no input"),
    ('text = ["raw/*.txt"]', 'texts = ["raw/*.txt"]', "[preprocess] unknown key 'texts'; did you mean text?"),
    ('vocab = "vocab.txt"\n', "", "[preprocess] vocab is missing: name a vocab.txt"),
    ('vocab = "vocab.txt"', 'vocab = "none.txt"', "[preprocess]"),
    ('vocab = "vocab.txt"', 'vocab = "vocab.txt"\noutput = "x"', "[preprocess] output is given by the chain itself"),
    ("[32, 64]", "[64, 32]", "[preprocess] --sequence-lengths 64,32: give ascending lengths"),
    ("[32, 64]", "[32]", "[phase2] data.sequence_length 64: the shards of [preprocess] have 32; make them agree"),
    ("[preprocess]", "[preprocess]\nduplicate_factor = 0", "[preprocess] --duplicate-factor 0:"),
    ("[preprocess]", "[vocabulary]\n[preprocess]", "[preprocess] vocab is given by the chain itself"),
    (PHASE1, '[phase1]\nrecipe = "none.toml"\n', "[phase1] --config none.toml: there is no such file."),
    (PHASE1, "[phase1]\nrecipe = 3\n", "[phase1] recipe = 3: give the path of a file"),
    (PHASE1, "[phase1]\n", "[phase1] --training"),
    (PHASE1, f"{PHASE1}training.stepps = 3\n", "[phase1] unknown key 'training.stepps'; did you mean training.steps?"),
    (PHASE1, f"{PHASE1}training.steps = 0\n", "[phase1] --training.steps 0:"),
    (PHASE1, f'{PHASE1}output.folder = "x"\n', "[phase1] output.folder is given by the chain itself"),
    (PHASE1, f'{PHASE1}data.shards = "x"\n', "[phase1] data.shards is given by the chain itself"),
    (PHASE1, f"{PHASE1}training.stop_at = 3\n", "[phase1] training.stop_at ends a run early"),
    (PHASE1, f"{PHASE1}output.export = false\n", "[phase1] output.export is off, and a later stage starts from"),
    (PHASE1, f'{PHASE1}init.from = "none"\n', "[phase1] init.from none: there is no such folder"),
    (PHASE1, f'{PHASE1}model.size = "mini"\n', "[phase2] model.hidden_size is 128, and 256 in the phase before"),
    ('data = "glue"', 'data = "none"', "[finetune] data none: there is no such folder"),
    ("seeds = [1, 2]", "seeds = [1, 1]", "[finetune] the sweep lists a learning rate"),
    ("seeds = [1, 2]", "seed = [1, 2]", "[finetune] unknown key 'seed'; did you mean seeds?"),
    ("seeds = [1, 2]", 'models = { one = "none" }', "[finetune] models.one none: there is no such folder"),
    ("seeds = [1, 2]", "options = { dropuot = 1 }", "[finetune] unknown option 'dropuot' of a run; did you mean"),
]


@pytest.mark.parametrize(("old", "new", "message"), WRONG)
def test_a_mistake_is_one_sentence_before_anything_is_submitted(
    made_up: MadeUp, capsys: pytest.CaptureFixture[str], old: str, new: str, message: str
) -> None:
    made_up.write(RUN + FINETUNE)
    made_up.change(old, new)
    assert made_up.submit() == 2
    said = capsys.readouterr().err
    assert f"submit: {made_up.file}: {message}" in said
    assert len(said.splitlines()) == 1
    assert made_up.calls() == []


def test_stages_may_be_left_out(made_up: MadeUp, capsys: pytest.CaptureFixture[str]) -> None:
    text = RUN.partition("[preprocess]")[0]
    made_up.write(f'{text}{PHASE1}data.shards = ["here"]\n')
    assert made_up.submit() == 2
    assert "[phase1] data.shards here: no finished shards are there" in capsys.readouterr().err
    Path("here").mkdir()
    Path("here/manifest.json").write_text("{}")
    assert [stage.name for stage in read_chain(made_up.file).stages] == ["phase1"]
    made_up.write(f'{text}{FINETUNE}models = {{ mine = "here", random = "random:here" }}\n')
    assert [stage.name for stage in read_chain(made_up.file).stages] == ["finetune", "report"]
    made_up.write(f"{text}{FINETUNE}")
    with pytest.raises(ClusterError, match=r"\[finetune\] .*models"):
        read_chain(made_up.file)
    made_up.write(f"{text}{PHASE1}")
    with pytest.raises(ClusterError, match=r"\[phase1\] data.shards is missing"):
        read_chain(made_up.file)
    made_up.write(f"{text}[vocabulary]\n{PHASE1}")
    with pytest.raises(ClusterError, match=r"\[vocabulary\] is for the shards of \[preprocess\]"):
        read_chain(made_up.file)


def test_a_vocabulary_is_made_from_the_sources_of_the_build(made_up: MadeUp) -> None:
    made_up.change('vocab = "vocab.txt"', 'language = "de"\nmax_bad_share = 0.5')
    made_up.change("[preprocess]", "[vocabulary]\nvocabulary_size = 300\n[preprocess]")
    assert made_up.submit() == 0
    assert made_up.names()[:2] == ["vocabulary", "preprocess"]
    vocabulary, build = made_up.calls()[:2]
    for word in ("--text=raw/*.txt", "--language=de", "--max-bad-share=0.5", "--vocabulary-size=300"):
        assert f" {word}" in vocabulary
    assert "--output=out/vocabulary" in vocabulary
    assert "--sequence-lengths" not in vocabulary
    assert "/cluster/slurm/preprocess.sbatch " in vocabulary, "on several nodes where that is asked for"
    said = [(made_up.folder / f"environment-{number}").read_text() for number in (1, 2)]
    assert ["PIPELINE=preprocessing/vocabulary.py" in text for text in said] == [True, False]
    marker = made_up.output / "vocabulary" / "vocabulary.json"
    marker.parent.mkdir(parents=True)
    for text, complete in (('{"complete": fal', False), ('{"complete": false}', False), ('{"complete": true}', True)):
        marker.write_text(text)
        assert read_chain(made_up.file).complete()["vocabulary"] is complete
    assert "--vocab=out/vocabulary" in build


def test_what_is_queued_does_not_depend_on_a_recipe_that_is_edited(made_up: MadeUp) -> None:
    """All of it stands in the job's arguments, and an edit makes it another stage."""
    before = {stage.name: stage.key for stage in read_chain(made_up.file).stages}
    words = next(stage for stage in read_chain(made_up.file).stages if stage.name == "phase1").arguments
    assert "--training.steps=20" in words
    assert not any("recipe.toml" in word for word in words)
    (made_up.folder / "recipe.toml").write_text((made_up.folder / "recipe.toml").read_text().replace("20", "30"))
    after = {stage.name: stage.key for stage in read_chain(made_up.file).stages}
    assert [name for name in before if before[name] != after[name]] == ["phase1", "phase2"]


def test_the_recipe_that_comes_along_works_as_written(
    repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where its data are; here a file of each sort stands for them."""
    monkeypatch.chdir(tmp_path)
    for name in ("wikipedia/dump.xml.bz2", "books/a/one.txt"):
        (tmp_path / "data" / name).parent.mkdir(parents=True)
        (tmp_path / "data" / name).write_text("text")
    (tmp_path / "data" / "glue").mkdir()
    shutil.copytree(repository / "pretraining" / "recipes", tmp_path / "pretraining" / "recipes")
    chain = read_chain(repository / "cluster" / "recipes" / "bert-large.toml")
    names = ["vocabulary", "preprocess", "verify", "phase1", "phase2", "finetune", "report"]
    assert [stage.name for stage in chain.stages] == names
    assert not any(chain.complete().values())


def test_the_file_of_the_page_works_as_written(
    repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("data/books", "data/glue"):
        Path(name).mkdir(parents=True)
    Path("data/books/one.txt").write_text("text")
    shutil.copytree(repository / "pretraining" / "recipes", "pretraining/recipes")
    page = (repository / "docs" / "chain.md").read_text(encoding="utf-8")
    Path("chain.toml").write_text(page.partition("```toml\n")[2].partition("```")[0], encoding="utf-8")
    chain = read_chain(Path("chain.toml"))
    names = ["vocabulary", "preprocess", "verify", "phase1", "finetune", "report"]
    assert [stage.name for stage in chain.stages] == names
    assert "--training.steps=100000" in next(stage for stage in chain.stages if stage.name == "phase1").arguments


def test_what_was_read_may_go_when_it_is_not_needed_any_more(
    made_up: MadeUp, capsys: pytest.CaptureFixture[str]
) -> None:
    """The raw text when the shards are there, the data of the sweep while the chain is looked at or cancelled."""
    made_up.write(RUN + FINETUNE)
    made_up.submit()
    for number, stage in enumerate(("preprocess", "verify"), 1):
        made_up.finish(stage, number)
    shutil.rmtree("raw")
    Path("vocab.txt").unlink()
    assert made_up.submit() == 0
    Path("glue").rmdir()
    assert made_up.submit("status") == 0
    Path("recipe.toml").unlink()
    assert made_up.submit("cancel") == 0
    assert made_up.calls()[-1] == "scancel 6 5 4 3"
    Path("recipe.toml").write_text(RECIPE)
    capsys.readouterr()
    assert made_up.submit() == 2
    assert "[finetune] data glue: there is no such folder" in capsys.readouterr().err
    assert len(made_up.names()) == 6
