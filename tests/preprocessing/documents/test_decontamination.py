import json
import random
from pathlib import Path

import numpy as np
import pytest

from preprocessing.documents.decontamination import Decontaminator
from preprocessing.documents.options import DecontaminationOptions, DocumentOptions
from preprocessing.documents.reading import read_documents
from preprocessing.documents.word_ngrams import WordHasher
from preprocessing.errors import PreprocessingError
from preprocessing.sources.options import InputOptions
from preprocessing.sources.planning import plan_splits
from preprocessing.tally import Tally

TEST_SENTENCE = "The quick brown fox, it is said, jumps over the lazy dog near the river bank every single morning."
LEAK = "the Quick BROWN fox -- it is said -- jumps over: the lazy dog; near the river bank"
CLEAN = "A wholly different sentence about foxes and dogs and rivers and mornings that nobody has tested on before."


def load(path: Path, **options: object) -> Decontaminator:
    return Decontaminator.load(DecontaminationOptions(files=(str(path),), **options))  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("dev.tsv", f"id\tsentence\tlabel\n0\t{TEST_SENTENCE}\t1\n"),
        ("dev.csv", f'id,sentence\n0,"{TEST_SENTENCE}"\n'),
        ("dev.json", json.dumps({"data": [{"paragraphs": [{"context": TEST_SENTENCE, "id": 7}]}]})),
        ("dev.jsonl", json.dumps({"a": 1}) + "\n" + json.dumps({"text": TEST_SENTENCE}) + "\n"),
        ("dev.txt", TEST_SENTENCE),
    ],
)
def test_every_layout_of_evaluation_files(tmp_path: Path, name: str, content: str) -> None:
    (tmp_path / name).write_text(content)
    known = load(tmp_path / name)
    matches = known.matches([CLEAN, LEAK + "."])
    assert matches[0] == (name, "the quick brown fox it is said jumps over the lazy dog near")
    assert len(matches) == 4
    assert known.matches([CLEAN]) == []


def test_thirteen_words_are_shared_and_twelve_are_not(tmp_path: Path) -> None:
    (tmp_path / "t.txt").write_text(TEST_SENTENCE)
    words = TEST_SENTENCE.split()
    known = load(tmp_path / "t.txt")
    assert len(known.matches([" ".join(words[2:15])])) == 1
    assert known.matches([" ".join(words[2:14])]) == []
    # An n-gram may cross sentences of the document.
    assert len(known.matches([" ".join(words[2:9]) + ".", " ".join(words[9:15])])) == 1
    assert len(load(tmp_path / "t.txt", ngram_words=5).matches([" ".join(words[:5])])) == 1


def test_agrees_with_sets_of_tuples() -> None:
    rng = random.Random(5)
    words = ["alpha", "beta", "Gamma", "delta's", "épsilon", "zeta-eta", "theta"]
    tests = [" ".join(rng.choices(words, k=30)) for _ in range(20)]
    documents = [" ".join(rng.choices(words, k=60)) for _ in range(60)]
    hasher, size = WordHasher(4), 4

    def grams(text: str) -> list[tuple[bytes, ...]]:
        found = hasher.words(text)
        return [tuple(found[i : i + size]) for i in range(len(found) - size + 1)]

    known = {gram for text in tests for gram in grams(text)}
    decontaminator = Decontaminator((("t", text) for text in tests), size, drop=True)
    assert decontaminator.ngrams == len(known)
    for text in documents:
        expected = [b" ".join(gram).decode() for gram in grams(text) if gram in known]
        assert [found for _, found in decontaminator.matches([text])] == expected


def test_words_are_the_same_on_both_paths() -> None:
    hasher = WordHasher(1)
    for text in ("Don't STOP, 3.5 a_b -- (x)", "", "42", "Äpfel & Birnen", "naïve's"):
        assert hasher.words(text + " ß")[:-1] == hasher.words(text)


def test_ngram_hashes_know_the_order_of_words() -> None:
    hasher = WordHasher(2)
    hashes = hasher.ngrams([b"a", b"b", b"a", b"b"])
    assert hashes.dtype == np.uint64
    assert hashes[0] == hashes[2] != hashes[1]
    assert len(hasher.ngrams([b"a"])) == 0


@pytest.mark.parametrize(("action", "kept"), [("report", 2), ("drop", 1)])
def test_contaminated_documents_are_reported_or_dropped(tmp_path: Path, action: str, kept: int) -> None:
    (tmp_path / "dev.tsv").write_text(f"0\t{TEST_SENTENCE}\n")
    (tmp_path / "c.jsonl").write_text("\n".join(json.dumps({"text": text}) for text in (CLEAN, f"{CLEAN} {LEAK}.")))
    options = DocumentOptions(
        decontamination=DecontaminationOptions(files=(str(tmp_path / "*.tsv"),), action=action)  # type: ignore[arg-type]
    )
    tally = Tally()
    splits = plan_splits(InputOptions(jsonlines=(str(tmp_path / "c.jsonl"),)))
    assert sum(1 for split in splits for _ in read_documents(split, options, tally)) == kept
    assert tally.counters["contaminated.documents"] == tally.counters["contaminated.by.dev.tsv"] == 1
    assert tally.dropped == ({"contaminated": 1} if action == "drop" else {})
    assert tally.unaccounted == 0


@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("none.tsv", None, "there is no such file"),
        ("short.tsv", "0\tToo short\n", "hold no text of 13 words in a row"),
        ("bad.json", "{", "is neither JSON nor JSON lines"),
    ],
)
def test_bad_evaluation_files_are_one_sentence(tmp_path: Path, name: str, content: str | None, message: str) -> None:
    if content is not None:
        (tmp_path / name).write_text(content)
    with pytest.raises(PreprocessingError, match=message):
        load(tmp_path / name)


def test_real_benchmarks_are_found_in_themselves_only(shared_data: Path) -> None:
    squad = shared_data / "squad" / "dev-v1.1.json"
    known = load(squad)
    context = json.loads(squad.read_text())["data"][0]["paragraphs"][0]["context"]
    assert known.matches([context])
    novel = (shared_data / "books" / "persuasion.txt").read_text()
    assert known.matches([novel]) == []


def test_files_of_one_name_are_told_apart(tmp_path: Path) -> None:
    """Every `*/dev.tsv` counted as one task `dev.tsv`."""
    for task in ("rte", "wnli"):
        (tmp_path / "glue" / task).mkdir(parents=True)
        (tmp_path / "glue" / task / "dev.tsv").write_text(f"0\t{task} {TEST_SENTENCE} {task}\n")
    pattern = str(tmp_path / "glue" / "*" / "dev.tsv")
    paths = tuple(str(tmp_path / "glue" / task / "dev.tsv") for task in ("wnli", "rte"))
    for files in ((pattern,), paths, (pattern, *paths)):
        known = Decontaminator.load(DecontaminationOptions(files=files))
        assert known.files == ["rte/dev.tsv", "wnli/dev.tsv"]
