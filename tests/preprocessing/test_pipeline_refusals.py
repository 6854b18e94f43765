"""What a build refuses, in one sentence."""

import os
from pathlib import Path

import pytest

from preprocessing.documents.drop_lists import document_key, write_drop_list
from preprocessing.shards.reader import ShardSet
from preprocessing.storage import file_systems
from tests.preprocessing.small_build import Build, refused


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--seeed", "3"), "did you mean --seed"),
        (("--sequence-lengths", "512,128"), "ascending"),
        (("--runner", "DirectRunner"), "--runner DirectRunner is not one of"),
        (("--runner", "nowhere.at.all.Runner"), "cannot be imported"),
        (("--workers", "0"), "at least 1"),
        (("--vocab", "nowhere.txt"), "nowhere.txt does not exist"),
        (("--word-segmenter", "nowhere:cut", "--whole-word-masking"), "--word-segmenter"),
        (("--sentences", "nowhere/*.txt"), "matches no file"),
        (("--cleaning.minimum-characters", "100000"), "No document is left of 181"),
        (("--minimum-fill", "0.99"), "not fit to train on"),
    ],
)
def test_what_cannot_be_is_refused_in_one_sentence(
    build_shards: Build, tmp_path: Path, capsys: pytest.CaptureFixture[str], options: tuple[str, ...], message: str
) -> None:
    assert message in refused(capsys, build_shards(*options))
    assert not (tmp_path / "shards" / "manifest.json").exists()


def test_a_vocabulary_without_mask_is_refused(
    build_shards: Build, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "vocab.txt").write_text("[PAD]\n[UNK]\n[CLS]\n[SEP]\nword\n")
    assert "lacks [MASK]" in refused(capsys, build_shards("--vocab", str(tmp_path / "vocab.txt")))


def test_an_output_below_a_file_is_refused(
    build_shards: Build, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "file").write_text("")
    assert "is a file, not a folder" in refused(capsys, build_shards(output=tmp_path / "file" / "shards"))


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_an_output_that_may_not_be_written_is_refused(
    build_shards: Build, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "locked").mkdir(mode=0o500)
    assert "permission is denied" in refused(capsys, build_shards(output=tmp_path / "locked" / "shards"))


@pytest.mark.parametrize(
    ("options", "sentence"),
    [
        (("--books.document", "chapter"), "--books.document does nothing without --books"),
        (("--wikitext.accept-truncated",), "--wikitext.accept-truncated does nothing without --wikipedia"),
        (("--decontamination.action", "drop"), "--decontamination.action does nothing without --decontamination.files"),
        (("--text-field", "body"), "--records.text-field does nothing without --jsonlines or --parquet or --dataset"),
        (("--dataset-split", "test"), "--dataset-split does nothing without --dataset"),
    ],
)
def test_options_that_do_nothing_say_so(
    build_shards: Build, capsys: pytest.CaptureFixture[str], options: tuple[str, ...], sentence: str
) -> None:
    build_shards(*options, "--vocab", "nowhere.txt")
    assert f"preprocessing: {sentence}." in capsys.readouterr().err.splitlines()


def test_a_drop_list_that_names_nothing_stops_the_build(
    build_shards: Build, inputs: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Names depend on the pattern: a list made with another one dropped nothing, without a word."""
    keys = [document_key("sentences", "a.txt", "byte=0"), document_key("sentences", "text/a.txt", "byte=0")]
    for name, chosen in (("right", keys[:1]), ("wrong", keys[1:]), ("mixed", keys)):
        write_drop_list(tmp_path / name, "near_duplicate", chosen)
    message = refused(capsys, build_shards("--drop-lists", str(tmp_path / "right"), str(tmp_path / "wrong")))
    assert f"--drop-lists {tmp_path / 'wrong'} names 1 documents, and none of them is in the input" in message
    for name, not_found in (("right", 0), ("mixed", 1)):
        assert build_shards("--drop-lists", str(tmp_path / name), output=tmp_path / f"from-{name}") == 0
        counters = ShardSet.open(tmp_path / f"from-{name}").manifest.counters
        assert counters["dropped.near_duplicate"] == counters["drop_lists.1.documents"] == 1
        assert counters.get("drop_lists.1.not_found", 0) == not_found


def test_documents_that_are_alone_in_their_bucket_stop_the_build(
    build_shards: Build, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    message = refused(capsys, build_shards("--bucket-bytes", "1024"))
    assert "because each is alone in its bucket (raise --bucket-bytes" in message
    assert build_shards("--bucket-bytes", "1024", "--maximum-alone-share", "1") == 0
    statistics = ShardSet.open(tmp_path / "shards").manifest.statistics["train/16"]
    assert statistics.documents_alone > 0
    assert statistics.documents_without_examples >= statistics.documents_alone


@pytest.mark.parametrize("option", ["--output", "--vocab", "--drop-lists", "--decontamination.files", "--sentences"])
def test_addresses_are_no_local_names(
    build_shards: Build,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    option: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(file_systems, "_is_installed", lambda module: False)
    message = refused(capsys, build_shards(option, "gs://bucket/x"))
    assert "gs://bucket/x" in message
    assert "Apache Beam needs its extra gcp, which is not installed; pip install 'apache-beam[gcp]'." in message
    assert not (tmp_path / "gs:").exists()
