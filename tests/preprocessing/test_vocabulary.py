import random
from collections import Counter
from pathlib import Path

import pytest

from preprocessing import vocabulary
from preprocessing.build.configuration import estimated_text_bytes
from preprocessing.build.passes.word_counts import CountJob, count_words
from preprocessing.documents.document import Document
from preprocessing.documents.options import DocumentOptions
from preprocessing.sources.options import InputOptions
from preprocessing.sources.planning import plan_splits
from preprocessing.tokens.tokenizer import SPECIAL_TOKENS, Tokenizer
from preprocessing.tokens.vocabulary_training import VocabularyOptions, train_wordpiece
from preprocessing.tokens.wordpiece_training import learn_pieces
from preprocessing.vocabulary import run
from tests.recorded_progress import recorded


@pytest.fixture(scope="module")
def text(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Made-up words of a few stems and endings, in Google's layout, 200 documents."""
    rng = random.Random(2)
    stems = ["".join(rng.choice("abcdefghijklmnoprstu") for _ in range(rng.randint(2, 6))) for _ in range(60)]
    endings = ["", "ing", "ed", "s", "ness"]

    def sentence() -> str:
        words = [rng.choice(stems) + rng.choice(endings) for _ in range(rng.randint(5, 12))]
        return " ".join(words).capitalize() + " ."

    path = tmp_path_factory.mktemp("text") / "text.txt"
    path.write_text("\n".join("".join(f"{sentence()}\n" for _ in range(6)) for _ in range(200)))
    return path


def train(text: Path, output: Path, *options: str) -> Tokenizer:
    arguments = ["--sentences", str(text), "--output", str(output), "--vocabulary-size", "300", *options]
    assert run(arguments) == 0
    return Tokenizer.load(output)


def test_a_vocabulary_is_learned_and_can_be_used(text: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    progress, size = recorded(monkeypatch, vocabulary), text.stat().st_size
    tokenizer = train(text, tmp_path)
    assert progress.ends == [
        *(("cut inputs", 1, 1), ("hash inputs", size, size), ("add up words", 1, 1), ("train WordPiece", 0, None))
    ]
    assert tokenizer.tokens[:5] == list(SPECIAL_TOKENS)
    assert tokenizer.vocabulary_size == 300
    assert tokenizer.lowercase
    assert "##ing" in tokenizer.tokens
    assert len(set(tokenizer.tokens)) == 300
    ids, _ = tokenizer.encode(text.read_text().splitlines())
    assert (ids == tokenizer.unk_id).sum() == 0
    assert len(ids) < 3 * len(text.read_text().split())
    names = sorted(path.name for path in tmp_path.iterdir())
    assert names == ["tokenizer.json", "tokenizer_config.json", "vocab.txt", "vocabulary.json", "vocabulary.lock"]


def test_the_vocabulary_does_not_depend_on_how_the_input_is_cut_or_on_chance(text: Path, tmp_path: Path) -> None:
    once = train(text, tmp_path / "1")
    again = train(text, tmp_path / "2", "--split-bytes", "2000")
    assert once.tokens == again.tokens


def test_many_ties_give_the_same_vocabulary_each_time() -> None:
    """Why `learn_pieces` numbers the characters itself: trained without that, five runs gave several vocabularies."""
    rng = random.Random(0)
    counts = Counter({"".join(rng.choice("abcdef") for _ in range(6)): 3 for _ in range(300)})
    runs = {tuple(learn_pieces(counts, SPECIAL_TOKENS, 120, 2, 1.0)) for _ in range(5)}
    assert len(runs) == 1
    shuffled = Counter(dict(sorted(counts.items(), key=lambda item: item[0][::-1])))
    assert tuple(learn_pieces(shuffled, SPECIAL_TOKENS, 120, 2, 1.0)) in runs


def test_cased_with_accents_and_reserved_tokens(tmp_path: Path) -> None:
    text = tmp_path / "text.txt"
    sentence = "Élan et Été sont des mots français que nous aimons beaucoup ici ."
    text.write_text("\n".join(f"{sentence}\n{sentence} {number}\n" for number in range(30)))
    cased = train(text, tmp_path / "cased", "--cased", "--unused-tokens", "3")
    assert cased.tokens[:8] == ["[PAD]", "[unused0]", "[unused1]", "[unused2]", "[UNK]", "[CLS]", "[SEP]", "[MASK]"]
    assert not cased.lowercase
    assert "É" in cased.tokens
    uncased = train(text, tmp_path / "uncased")
    assert "É" not in uncased.tokens
    assert "é" not in uncased.tokens
    accents = train(text, tmp_path / "accents", "--keep-accents")
    assert "é" in accents.tokens


def count(sentences: list[str], share: float = 1.0, **options: object) -> Counter[str]:
    settings = VocabularyOptions(output="x", **options)  # type: ignore[arg-type]
    job = CountJob(Path("x"), DocumentOptions(), settings, share)
    return count_words((Document("s", "f", str(i), "", (s,)) for i, s in enumerate(sentences)), job)


def test_words_are_counted_as_the_tokenizer_sees_them() -> None:
    assert count(["The cat's the Café."]) == Counter({"the": 2, "cat": 1, "'": 1, "s": 1, "cafe": 1, ".": 1})
    assert count(["The Café"], cased=True) == Counter({"The": 1, "Café": 1})
    assert count(["北京 a"]) == Counter({"北": 1, "京": 1, "a": 1})
    assert count(["北京 a"], separate_chinese=False) == Counter({"北京": 1, "a": 1})
    assert count(["half \ud83d pair"])["half"] == 1


def test_a_sample_is_chosen_by_content() -> None:
    sentences = [f"word{number}" for number in range(2000)]
    sample = set(count(sentences, share=0.2))
    assert 300 < len(sample) < 500
    assert set(count(sentences[::-1], share=0.2)) == sample


def test_the_rarest_characters_are_left_out() -> None:
    counts = Counter({"aaaa": 1000, "bbbb": 1000, "xa": 1})
    pieces = learn_pieces(counts, SPECIAL_TOKENS, 60, 1, 0.999)
    assert {"a", "b", "##a", "##b"} <= set(pieces)
    assert not any("x" in piece for piece in pieces)
    assert "x" in learn_pieces(counts, SPECIAL_TOKENS, 60, 1, 1.0)


def test_many_characters_leave_room_for_words() -> None:
    counts = Counter({chr(0x4E00 + number): 5 for number in range(3000)})
    counts["word"] = 500
    tokenizer = train_wordpiece(counts, VocabularyOptions(output="x", vocabulary_size=900))
    assert tokenizer.vocabulary_size < 900
    assert sum(len(token) == 1 for token in tokenizer.tokens) == (900 - 5) // 3
    assert "word" in tokenizer.tokens


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (("--vocabulary-size", "5"), "--vocabulary-size 5"),
        (("--unused-tokens", "200"), "leaves no room"),
        (("--vocabulary-sise", "500"), "did you mean --vocabulary-size"),
        (("--cleaning.minimum-characters", "1000000"), "no words"),
    ],
)
def test_what_cannot_be_is_refused_in_one_sentence(
    text: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str], options: tuple[str, ...], message: str
) -> None:
    assert run(["--sentences", str(text), "--vocabulary-size", "300", "--output", str(tmp_path), *options]) == 2
    printed = capsys.readouterr().err.strip()
    assert message in printed
    assert len(printed.splitlines()) == 1


def test_an_output_below_a_file_is_refused(text: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert run(["--sentences", str(text), "--output", str(text / "vocabulary")]) == 2
    assert "is a file, not a folder" in capsys.readouterr().err


def test_the_size_of_the_text_is_estimated_from_the_files(text: Path) -> None:
    splits = plan_splits(InputOptions(sentences=(str(text),)))
    assert estimated_text_bytes(splits) == text.stat().st_size
