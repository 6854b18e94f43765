"""The folder of a parsed corpus: whose it is, when it is complete, and that nothing was lost on the way."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest

from preprocessing.build.corpus import folder as corpus_folder
from preprocessing.build.corpus.folder import ParseJob, finish, is_complete, start, watch
from preprocessing.build.corpus.graph import parse_split
from preprocessing.documents.options import DocumentOptions
from preprocessing.errors import PreprocessingError
from preprocessing.sources.options import InputOptions
from preprocessing.sources.parsed_corpus import CORPUS_VERSION, ParsedCorpus
from preprocessing.sources.planning import plan_splits
from preprocessing.sources.split import Split
from preprocessing.tally import Tally

SPLIT_BYTES = 1000


@pytest.fixture
def splits(tmp_path: Path) -> list[Split]:
    path = tmp_path / "lines.txt"
    lines = [[f"Document {number} has line {line}, which is long.\n" for line in range(14)] for number in range(4)]
    path.write_text("\n".join("".join(document) for document in lines))
    return plan_splits(InputOptions(sentences=(str(path),)), SPLIT_BYTES)


@pytest.fixture
def job(tmp_path: Path, splits: list[Split]) -> ParseJob:
    """Started, and everything is parsed."""
    made = ParseJob(tmp_path / "corpus", DocumentOptions())
    start(made, splits, SPLIT_BYTES)
    for split in splits:
        assert parse_split(split, made)
    return made


def test_the_manifest_comes_last_and_says_what_is_there(job: ParseJob, splits: list[Split]) -> None:
    assert not is_complete(job, splits)
    corpus = finish(job, splits)
    assert is_complete(job, splits)
    assert ParsedCorpus.read(job.folder) == corpus
    assert [record.key for record in corpus.splits] == [split.key for split in splits]
    assert sum(record.documents for record in corpus.splits) == 4
    assert Tally.from_json(corpus.tally).documents_in == 4
    names = {path.name for path in job.folder.iterdir()}
    assert names == {"parse.json", "corpus.json", "documents", "inputs.feather"}


def test_a_folder_that_lost_a_file_is_not_complete(job: ParseJob, splits: list[Split]) -> None:
    finish(job, splits)
    job.path(splits[1]).write_bytes(b"")
    assert not is_complete(job, splits)
    start(job, splits, SPLIT_BYTES)
    assert not (job.folder / "corpus.json").exists()
    with pytest.raises(
        PreprocessingError, match=r"The runner lost the split of lines\.txt; run the same command again"
    ):
        finish(job, splits)


def test_a_start_removes_what_was_half_written_and_notes_and_nothing_else(job: ParseJob, splits: list[Split]) -> None:
    rubbish = [
        job.folder / "corpus.json.tmp-1-2",
        job.folder / "documents" / f"{job.path(splits[0]).name}.tmp-12-34",
        job.intermediate / "failures" / f"{'0' * 16}.txt",
    ]
    kept = [job.folder / "notes.txt", job.folder / "documents" / "mine.tmp-1-2", job.path(splits[0])]
    for path in (*rubbish, *kept[:2]):
        path.parent.mkdir(exist_ok=True)
        path.write_text("")
    start(job, splits, SPLIT_BYTES)
    assert [path for path in rubbish if path.exists()] == []
    assert [path for path in kept if not path.exists()] == []


def test_another_corpus_is_refused(job: ParseJob, splits: list[Split]) -> None:
    other = ParseJob(job.folder, DocumentOptions.model_validate({"cleaning": {"minimum_characters": 7}}))
    with pytest.raises(PreprocessingError, match=r"with other options \(options.cleaning.minimum_characters: 50 → 7\)"):
        is_complete(other, splits)
    with pytest.raises(PreprocessingError, match="was parsed from other inputs, or from the same with another --split"):
        is_complete(job, splits[1:])
    tolerant = ParseJob(job.folder, DocumentOptions(skip_bad_files=True))
    assert not is_complete(tolerant, splits)  # what is tolerated makes no other corpus
    (job.folder / "parse.json").write_text("{")
    with pytest.raises(PreprocessingError, match=r"parse\.json is damaged; give another --output"):
        is_complete(job, splits)


def test_what_an_older_program_began_is_refused(
    job: ParseJob, splits: list[Split], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(corpus_folder, "CORPUS_VERSION", 99)
    with pytest.raises(PreprocessingError, match=rf"with other options \(version: {CORPUS_VERSION} → 99\)"):
        is_complete(job, splits)


def test_somebody_elses_folder_is_refused(tmp_path: Path, splits: list[Split]) -> None:
    (tmp_path / "theirs").mkdir()
    (tmp_path / "theirs" / "results.csv").touch()
    with pytest.raises(PreprocessingError, match=r"is not empty and no parse\.json says"):
        is_complete(ParseJob(tmp_path / "theirs", DocumentOptions()), splits)


def more_in(sidecar: dict) -> None:  # type: ignore[type-arg]
    sidecar["tally"]["counters"]["documents_in"] += 1


def fewer_written(sidecar: dict) -> None:  # type: ignore[type-arg]
    sidecar["documents"] -= 1


@pytest.mark.parametrize("change", [more_in, fewer_written])
def test_books_that_do_not_balance_are_refused(job: ParseJob, splits: list[Split], change: Callable) -> None:  # type: ignore[type-arg]
    sidecar = job.path(splits[0]).with_suffix(".json")
    content = json.loads(sidecar.read_text())
    change(content)
    sidecar.write_text(json.dumps(content))
    with pytest.raises(PreprocessingError, match="The books do not balance"):
        finish(job, splits)
    assert not (job.folder / "corpus.json").exists()


def test_a_corpus_without_documents_is_refused(tmp_path: Path, splits: list[Split]) -> None:
    job = ParseJob(tmp_path / "corpus", DocumentOptions.model_validate({"cleaning": {"minimum_characters": 10**6}}))
    start(job, splits, SPLIT_BYTES)
    for split in splits:
        assert parse_split(split, job)
    with pytest.raises(PreprocessingError, match=r"No document is left of 4 \(dropped: 4 too_short\)"):
        finish(job, splits)


def test_progress_counts_what_is_parsed(job: ParseJob, splits: list[Split]) -> None:
    job.path(splits[-1]).with_suffix(".json").unlink()
    with corpus_folder.lock(job), watch(job, splits) as seen:
        assert seen.look().line().startswith(f"parse: {len(splits) - 1} of {len(splits)}, ")
