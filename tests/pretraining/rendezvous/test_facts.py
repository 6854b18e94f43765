"""What ranks compare: names that say what to mend, and hashes that see every edit."""

from pathlib import Path

from pretraining.rendezvous.facts import code_version, difference, facts_of


def test_settings_have_dotted_names() -> None:
    facts = facts_of("runs/a", {"training": {"steps": 10, "zero": {"stage": 1}}, "data.seed": 1}, (), {})
    assert facts["training.steps"] == "10"
    assert facts["training.zero.stage"] == "1"
    assert facts["the run"] == "runs/a"


def test_a_job_and_its_requeued_self_are_two_runs() -> None:
    job = {"SLURM_JOB_ID": "7"}
    first, again = facts_of("a", {}, (), job), facts_of("a", {}, (), {**job, "SLURM_RESTART_COUNT": "1"})
    assert difference(first, again) == (
        "the run",
        "a (SLURM_JOB_ID=7)",
        "a (SLURM_JOB_ID=7 SLURM_RESTART_COUNT=1)",
    )


def test_the_first_difference() -> None:
    assert difference({"a": "1", "b": "2"}, {"a": "1", "b": "2"}) is None
    assert difference({"a": "1", "b": "2"}, {"a": "1", "b": "3"}) == ("b", "2", "3")
    assert difference({"a": "1", "c": "4"}, {"a": "1"}) == ("c", "4", "nothing")
    assert difference({"a": "1"}, {"a": "1", "c": "4"}) == ("c", "nothing", "4")


def test_the_code_s_version_sees_content_and_names(tmp_path: Path) -> None:
    folder = tmp_path / "stage"
    folder.mkdir()
    (folder / "one.py").write_text("a = 1\n")
    versions = [code_version(("stage",), tmp_path)]
    (folder / "one.py").write_text("a = 2\n")
    versions.append(code_version(("stage",), tmp_path))
    (folder / "one.py").rename(folder / "two.py")
    versions.append(code_version(("stage",), tmp_path))
    (folder / "recipe.toml").write_text("")
    versions.append(code_version(("stage",), tmp_path))
    assert len(set(versions)) == 4
    (folder / "notes.txt").write_text("not code")
    assert code_version(("stage",), tmp_path) == versions[-1]
