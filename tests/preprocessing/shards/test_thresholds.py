import pytest

from preprocessing.errors import PreprocessingError
from preprocessing.examples.statistics import CorpusStatistics, ExampleStatistics
from preprocessing.shards.thresholds import ThresholdOptions, check_quality, enforce

GOOD_CORPUS = CorpusStatistics(tokens_by_source={"wikipedia": 100_000}, unknown_tokens_by_source={"wikipedia": 100})


def statistics(rows: int = 10_000, random_pairs: int = 5_000, fill: float = 0.9) -> dict[str, ExampleStatistics]:
    return {"train/128": ExampleStatistics(rows=rows, tokens=int(rows * 128 * fill), random_pairs=random_pairs)}


def test_a_good_build_passes():
    enforce(ThresholdOptions(), GOOD_CORPUS, statistics())


BAD = {
    "alone": (
        CorpusStatistics(documents_by_source={"books": 60}, heldout_documents=10),
        {"train/128": statistics()["train/128"].model_copy(update={"documents_alone": 17})},
        "17 of the 50 training documents are in no example of train/128, because each is alone in its bucket",
    ),
    "labels high": (GOOD_CORPUS, statistics(random_pairs=7_000), "70.0% of the pairs of train/128 are random"),
    "labels low": (GOOD_CORPUS, statistics(random_pairs=3_000), "30.0% of the pairs of train/128 are random"),
    "fill": (GOOD_CORPUS, statistics(fill=0.1), "filled to 10.0% only"),
    "unknown": (
        # one good source must not hide a bad one
        CorpusStatistics(
            tokens_by_source={"books": 5_000, "wikipedia": 10**7}, unknown_tokens_by_source={"books": 1_000}
        ),
        statistics(),
        "20.0% of the tokens of books are [UNK]",
    ),
}


@pytest.mark.parametrize("name", BAD)
def test_what_is_off_stops_the_build_and_names_the_option(name: str):
    corpus, examples, says = BAD[name]
    with pytest.raises(PreprocessingError) as caught:
        enforce(ThresholdOptions(), corpus, examples)
    assert says in str(caught.value)
    assert "--m" in str(caught.value)


def test_every_limit_can_be_switched_off():
    off = ThresholdOptions(maximum_label_imbalance=1, maximum_unknown_share=1, minimum_fill=0, maximum_alone_share=1)
    corpus = CorpusStatistics(tokens_by_source={"a": 9_999}, unknown_tokens_by_source={"a": 9_999})
    enforce(off, corpus, statistics(random_pairs=0, fill=0.01))


def test_chance_in_a_small_build_is_allowed_for():
    # 14 of 20 pairs: two standard errors from one half
    assert not check_quality(ThresholdOptions(), GOOD_CORPUS, statistics(rows=20, random_pairs=14))
    assert check_quality(ThresholdOptions(), GOOD_CORPUS, statistics(rows=20_000, random_pairs=14_000))


def test_examples_without_pairs_have_no_balance():
    enforce(ThresholdOptions(), GOOD_CORPUS, statistics(random_pairs=0), pairs=False)


def test_an_empty_heldout_split_is_no_fault():
    enforce(ThresholdOptions(), GOOD_CORPUS, {**statistics(), "heldout/128": ExampleStatistics()})


def test_everything_that_is_off_is_named_at_once():
    problems = check_quality(ThresholdOptions(), BAD["unknown"][0], statistics(random_pairs=9_000, fill=0.1))
    assert len(problems) == 3
