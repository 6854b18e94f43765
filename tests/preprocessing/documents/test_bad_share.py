"""How much of an input may be bad: counted by source, whatever the splits, in every command that reads one."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from preprocessing import contamination, corpus, near_duplicates, pipeline, vocabulary
from preprocessing.build import graph
from preprocessing.documents.bad_share import DEFAULT_SHARE, FEW_BYTES, FEW_RECORDS, UNREAD_BYTES, BadShare
from preprocessing.errors import PreprocessingError
from preprocessing.sources.split import Split
from preprocessing.tally import DAMAGED, DOCUMENTS_IN, Tally
from preprocessing.tokens.tokenizer import SPECIAL_TOKENS


def counted(records: int = 0, **counters: int) -> Tally:
    tally = Tally()
    tally.count(DOCUMENTS_IN, records)
    for name, amount in counters.items():
        tally.count(name.replace("__", "."), amount)
    return tally


def shares(*parts: tuple[Split, Tally]) -> BadShare:
    found = BadShare()
    for split, tally in parts:
        found.add(split, tally)
    return found


def is_refused(found: BadShare, limit: float | None) -> bool:
    try:
        found.enforce(limit)
    except PreprocessingError:
        return True
    return False


ROWS = Split("jsonlines", "/r", "r", 0, 100)


@pytest.mark.parametrize(
    ("records", "bad", "limit", "refused"),
    [
        (1000, 10, None, False),
        (1000, 11, None, True),
        (17, FEW_RECORDS, None, False),
        (17, FEW_RECORDS + 1, None, True),
        (10_000, 100, None, False),
        (10_000, 101, None, True),
        (100, 1, 0.01, False),
        (100, 2, 0.01, True),
        (3, 1, 0.5, False),
        (3, 2, 0.5, True),
        (10**9, 1, 0.0, True),
        (10**9, 0, 0.0, False),
        (5, 5, 1.0, False),
        (0, 0, 0.0, False),
    ],
)
def test_the_limit(records: int, bad: int, limit: float | None, refused: bool) -> None:
    for reason in ("dropped__malformed", "dropped__bad_file"):
        assert is_refused(shares((ROWS, counted(records, **{reason: bad}))), limit) == refused


def test_what_is_left_out_by_a_rule_is_not_bad() -> None:
    rules = {f"dropped__{reason}": 900 for reason in ("namespace", "redirect", "exact_duplicate", "too_short", "empty")}
    assert not is_refused(shares((ROWS, counted(1000, **rules))), 0.0)


def test_a_damaged_part_of_a_record_weighs_as_one() -> None:
    tally = counted(90)
    tally.lose_part("r row=1", "no text", f"{DAMAGED}parquet_rows", 10)
    assert not is_refused(shares((ROWS, tally)), 0.1)
    with pytest.raises(
        PreprocessingError, match=r"10\.00% of the records \(10 of 100\) cannot be read, as r row=1: no"
    ):
        shares((ROWS, tally)).enforce(0.099)


@pytest.mark.parametrize(
    ("size", "unread", "limit", "refused"),
    [
        (1 << 40, FEW_BYTES, None, False),
        (FEW_BYTES + 1, FEW_BYTES, None, False),
        (FEW_BYTES + 1, FEW_BYTES + 1, None, True),
        (1000 * FEW_BYTES, 11 * FEW_BYTES, None, True),
        (1000 * FEW_BYTES, 9 * FEW_BYTES, None, False),
        (100, 2, 0.01, True),
        (100, 1, 0.01, False),
    ],
)
def test_files_that_were_not_read_weigh_by_their_bytes(
    size: int, unread: int, limit: float | None, refused: bool
) -> None:
    tally = counted(10**6)
    tally.count(UNREAD_BYTES, unread)
    assert is_refused(shares((Split("jsonlines", "/r", "r", 0, size), tally)), limit) == refused


def test_every_source_is_judged_for_itself_and_named() -> None:
    pages = Split("wikipedia", "/d", "d", 0, 100)
    rows = Split("huggingface", "{}", "h", 0, 1, bytes=100)
    bad = counted(100)
    for number in range(30):
        bad.reject(f"h row={number:02d}", f"reason {number}.")
    found = shares((pages, counted(10**6)), (rows, bad))
    with pytest.raises(PreprocessingError) as caught:
        found.enforce(None)
    assert str(caught.value) == (
        f"More than --max-bad-share {DEFAULT_SHARE} of the input is bad: --dataset: 30.00% of the records (30 of 100) "
        "cannot be read, as h row=00: reason 0; h row=01: reason 1; h row=02: reason 2; mend it, leave it out, or give "
        "a larger share."
    )


def test_only_what_weighs_is_named() -> None:
    """What sorts before it was left out by a rule, or is no more than a warning."""
    tally = counted(1000)
    for number in range(200):
        tally.reject(f"a row={number:03d}", "shares words with dev.txt", kind="contaminated")
        tally.lose_part(f"a row={number:03d}", "no rows", "warnings.files_without_records")
    for number in range(30):
        tally.reject(f"z row={number:03d}", "no text")
    with pytest.raises(PreprocessingError, match=r"cannot be read, as z row=000: no text; z row=001: .*002: no text; "):
        shares((ROWS, tally)).enforce(None)


def test_a_corpus_was_judged_when_it_was_parsed() -> None:
    parsed = Split("jsonlines", "/c", "r", 0, 100, parsed="x" * 32)
    assert not is_refused(shares((parsed, counted(10, dropped__malformed=10))), 0.0)


TALLIES = st.builds(
    lambda records, bad, unread: counted(records, dropped__malformed=bad, bad_files__unread_bytes=unread),
    *(st.integers(0, 2000), st.integers(0, 40), st.integers(0, 60)),
)


@given(st.lists(TALLIES, min_size=1, max_size=6), st.randoms(), st.none() | st.floats(0, 0.2))
def test_neither_splits_nor_their_order_matter(tallies: list[Tally], random: object, limit: float | None) -> None:
    whole = Tally()
    for number, tally in enumerate(tallies):
        if tally.counters["dropped.malformed"]:
            tally.reject(f"r byte={number * 7919 % 100}", "no text")
        whole.merge(tally)
    parts = [(ROWS, tally) for tally in tallies]
    random.shuffle(parts)  # type: ignore[attr-defined]
    joined, apart = BadShare(), BadShare()
    joined.add(Split("jsonlines", "/r", "r", 0, 100 * len(tallies)), whole)
    for split, tally in parts:
        apart.add_plain(json.loads(json.dumps(BadShare.plain(split, tally))))
    outcomes = []
    for found in (joined, apart):
        try:
            found.enforce(limit)
            outcomes.append("")
        except PreprocessingError as error:
            outcomes.append(str(error))
    assert outcomes[0] == outcomes[1]


# The commands ---------------------------------------------------------------------------------------------------------


@pytest.fixture
def rows(tmp_path: Path) -> Path:
    """1,000 rows, of which 40 are bad."""
    path = tmp_path / "rows.jsonl"
    with path.open("w") as stream:
        for number in range(1000):
            text = f"Row {number} is a sentence that is long enough to be kept. Another one of row {number} follows it."
            stream.write("{broken\n" if number % 25 == 7 else json.dumps({"text": text}) + "\n")
    (tmp_path / "vocab.txt").write_text("".join(f"{piece}\n" for piece in [*SPECIAL_TOKENS, "row", "is", "sentence"]))
    return path


def build(rows: Path, *options: str) -> int:
    return pipeline.run(
        [
            *(
                "--jsonlines",
                str(rows),
                "--output",
                str(rows.parent / "shards"),
                "--vocab",
                str(rows.parent / "vocab.txt"),
            ),
            *("--sequence-lengths", "32", "--maximum-unknown-share", "1", "--split-bytes", "8192", *options),
        ]
    )


def parse(rows: Path, *options: str) -> int:
    return corpus.run(["--jsonlines", str(rows), "--output", str(rows.parent / "corpus"), *options])


def learn(rows: Path, *options: str) -> int:
    output = str(rows.parent / "vocab")
    return vocabulary.run(["--jsonlines", str(rows), "--output", output, "--vocabulary-size", "120", *options])


def compare(rows: Path, *options: str) -> int:
    (rows.parent / "dev.txt").write_text(f"{'none of these words ' * 9}\n")
    files = ["--decontamination.files", str(rows.parent / "dev.txt")]
    return contamination.run(["--jsonlines", str(rows), *files, *options])


def sign(rows: Path, *options: str) -> int:
    pytest.importorskip("rensa")
    return near_duplicates.run(["--jsonlines", str(rows), "--output", str(rows.parent / "near"), *options])


@pytest.mark.parametrize("command", [build, parse, learn, compare, sign])
def test_every_command_stops_above_the_limit_and_goes_on_below(
    command: Callable[..., int], rows: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("preprocessing.build.folder.write_report", lambda manifest, folder: None)
    with monkeypatch.context() as patch:
        if command is build:  # it stops before the work that follows
            patch.setattr(graph, "build_bucket", lambda *arguments: pytest.fail("a shard is built of a bad input"))
        assert command(rows) == 2
    message = capsys.readouterr().err.strip().splitlines()[-1]
    assert "--jsonlines: 4.00% of the records (40 of 1,000) cannot be read, as rows.jsonl byte=" in message
    assert "give a larger share" in message
    assert command(rows, "--max-bad-share", "0.039") == 2
    assert command(rows, "--max-bad-share", "0.04") == 0


def test_a_build_from_a_corpus_takes_what_was_parsed(rows: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("preprocessing.build.folder.write_report", lambda manifest, folder: None)
    assert parse(rows, "--max-bad-share", "0.1") == 0
    arguments = ["--corpus", str(rows.parent / "corpus"), "--output", str(rows.parent / "shards")]
    options = ["--vocab", str(rows.parent / "vocab.txt"), "--sequence-lengths", "32", "--maximum-unknown-share", "1"]
    assert pipeline.run([*arguments, *options]) == 0


@pytest.mark.parametrize(("good", "code"), [(1, 2), (200, 0)])
def test_files_that_are_skipped_count(rows: Path, good: int, code: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """A share that is given means what it says: of two files one is half, of 201 one is little."""
    folder = rows.parent / "many"
    folder.mkdir()
    for number in range(good):
        (folder / f"{number}.jsonl").write_text(
            json.dumps({"text": f"Row {number} is a sentence that is long enough to be kept."})
        )
    (folder / "bad.jsonl").write_bytes(b"\x1f\x8b" + b"x" * 50)
    options = ["--jsonlines", str(folder / "*"), "--output", str(rows.parent / "corpus")]
    assert corpus.run([*options, "--skip-bad-files", "--max-bad-share", "0.01"]) == code
