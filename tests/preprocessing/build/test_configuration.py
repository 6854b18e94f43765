import argparse
from pathlib import Path

import pytest

from preprocessing.arguments import OptionParser
from preprocessing.build.configuration import BuildConfiguration, count_buckets, differences, inputs_hash
from preprocessing.documents.options import CleaningOptions, DecontaminationOptions, DocumentOptions
from preprocessing.errors import PreprocessingError
from preprocessing.examples.options import ExampleOptions
from preprocessing.jobs.runners import add_runner_options, beam_options, run_pipeline
from preprocessing.sources.split import Split


def configuration(**changes: object) -> BuildConfiguration:
    return BuildConfiguration(**{"tokenizer_fingerprint": "t", "buckets": 4, **changes})  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "changes",
    [
        {"buckets": 5},
        {"tokenizer_fingerprint": "u"},
        {"examples": ExampleOptions(seed=1)},
        {"source": DocumentOptions(language="de")},
        {"source": DocumentOptions(cleaning=CleaningOptions(minimum_characters=7))},
    ],
    ids=str,
)
def test_every_setting_counts(changes: dict[str, object]) -> None:
    assert configuration(**changes).hash != configuration().hash
    assert configuration(**changes).hash == configuration(**changes).hash
    assert len(differences(configuration().to_json(), configuration(**changes).to_json())) == 1


def test_files_count_by_their_content_not_by_their_place(tmp_path: Path) -> None:
    hashes = []
    for folder, content in (("a", "x"), ("b", "x"), ("c", "y")):
        path = tmp_path / folder / "dev.tsv"
        path.parent.mkdir()
        path.write_text(content)
        source = DocumentOptions(decontamination=DecontaminationOptions(files=(str(path),)))
        hashes.append(configuration(source=source).hash)
    assert hashes[0] == hashes[1] != hashes[2]


def split(size: int, compression: str = "", source: str = "sentences", name: str = "f") -> Split:
    return Split(source, "/nowhere", name, 0, size, compression)


@pytest.mark.parametrize(
    ("splits", "expected"),
    [
        ([split(10)], 1),
        ([split(1000)], 1),
        ([split(1001)], 2),
        ([split(5000), split(5000, name="g")], 10),
        ([split(2000, "bz2", "wikipedia")], 2),
        ([split(1000, "gzip", "jsonlines")], 3),
    ],
)
def test_the_number_of_buckets_follows_from_the_size_of_the_input(splits: list[Split], expected: int) -> None:
    assert count_buckets(splits, 1000) == expected


def test_the_inputs_hash_does_not_depend_on_order() -> None:
    splits = [split(10), split(20, name="g")]
    assert inputs_hash(splits) == inputs_hash(splits[::-1])
    assert inputs_hash(splits) != inputs_hash(splits[:1])


def test_differences_name_settings() -> None:
    left, right = {"a": {"b": 1, "c": 2}, "d": [1]}, {"a": {"b": 1, "c": 3}, "d": [1], "e": 4}
    assert differences(left, right) == ["a.c: 2 → 3", "e: None → 4"]


def options_of(*arguments: str) -> dict[str, object]:
    parser = OptionParser()
    add_runner_options(parser)
    known, rest = parser.parse_known_args(arguments)
    return beam_options(rest, known, parser).get_all_options()


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ((), {"runner": "FnApiRunner"}),
        (("--workers", "1"), {"runner": "FnApiRunner", "direct_running_mode": "in_memory", "direct_num_workers": 1}),
        (("--workers", "3"), {"direct_running_mode": "multi_processing", "direct_num_workers": 3}),
        (("--workers", "3", "--runner=FnApiRunner", "--direct_num_workers=2"), {"direct_num_workers": 2}),
        (("--runner", "FlinkRunner", "--flink_master=h:1"), {"runner": "FlinkRunner", "flink_master": "h:1"}),
        (("--runner=DirectRunner", "--allow-any-runner"), {"runner": "DirectRunner"}),
    ],
)
def test_the_runner_is_named_always(arguments: tuple[str, ...], expected: dict[str, object]) -> None:
    assert expected.items() <= options_of(*arguments).items()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--runner=DirectRunner",), "--allow-any-runner"),
        (("--runner=pyspark.Runner",), "cannot be imported"),
        (("--direct_num_worker=2",), "did you mean --direct_num_workers"),
        (("--workers=0",), "at least 1"),
    ],
)
def test_bad_runner_options_are_refused(arguments: tuple[str, ...], message: str) -> None:
    with pytest.raises(PreprocessingError, match=message):
        options_of(*arguments)


@pytest.mark.parametrize(
    "raised",
    [
        PreprocessingError("The file is bad. [while running 'Extract']"),
        RuntimeError(
            "Traceback (most recent call last):\n  File x\npreprocessing.errors.PreprocessingError: The file is bad. "
            "[while running 'Extract']\n"
        ),
        RuntimeError("preprocessing.sources.PreprocessingError: The file is bad."),
    ],
)
def test_a_worker_s_sentence_is_found_in_what_a_runner_makes_of_it(raised: Exception) -> None:
    def fail(_: object) -> None:
        raise raised

    parser = OptionParser()
    add_runner_options(parser)
    options = beam_options([], argparse.Namespace(workers=1, allow_any_runner=False), parser)
    with pytest.raises(PreprocessingError) as caught:
        run_pipeline(options, fail)
    assert str(caught.value) == "The file is bad."


def test_other_faults_stay_what_they_are() -> None:
    def fail(_: object) -> None:
        raise ZeroDivisionError

    parser = OptionParser()
    add_runner_options(parser)
    options = beam_options([], argparse.Namespace(workers=1, allow_any_runner=False), parser)
    with pytest.raises(ZeroDivisionError):
        run_pipeline(options, fail)
