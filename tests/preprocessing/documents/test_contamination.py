import json
from pathlib import Path

import pytest

from preprocessing.documents.contamination import (
    ContaminationJob,
    contaminated_documents,
    evaluation_ngrams,
    in_one_line,
    read_contaminated,
    write_contaminated,
)
from preprocessing.documents.options import DecontaminationOptions, DocumentOptions
from preprocessing.errors import PreprocessingError
from preprocessing.sources.options import InputOptions
from preprocessing.sources.planning import plan_splits
from preprocessing.sources.split import Split
from preprocessing.tally import Tally

LEAK = "one two three four five six seven eight nine ten eleven twelve thirteen fourteen"


@pytest.fixture
def split(tmp_path: Path) -> Split:
    rows = [{"title": "clean", "text": f"This is not in any file, {LEAK[:40]}."}]
    rows += [{"title": "leak \ud83d", "text": f"Before it. {LEAK.title()}, and after it."}]
    (tmp_path / "c.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    (found,) = plan_splits(InputOptions(jsonlines=(str(tmp_path / "c.jsonl"),)))
    return found


@pytest.fixture
def job(tmp_path: Path) -> ContaminationJob:
    for name in ("b.txt", "a.txt"):
        (tmp_path / name).write_text(LEAK if name == "b.txt" else f"zero {LEAK[:-9]}")
    options = DecontaminationOptions(files=(str(tmp_path / "*.txt"),), action="drop")
    return ContaminationJob(tmp_path / "work", 1, DocumentOptions(decontamination=options))


def test_a_contaminated_document_is_described_and_counted_and_not_dropped(split: Split, job: ContaminationJob) -> None:
    tally = Tally()
    (found,) = contaminated_documents(split, job.source, tally)
    assert (found["title"], found["file"], found["evaluation_files"]) == ("leak \ufffd", "c.jsonl", ["a.txt", "b.txt"])
    assert (found["shared_ngrams"], found["first_ngram"]) == (2, LEAK.removesuffix(" fourteen"))
    assert (tally.documents_out, tally.unaccounted, tally.dropped) == (2, 0, {})
    by = {name: amount for name, amount in tally.counters.items() if name.startswith("contaminated")}
    assert by == {"contaminated.documents": 1, "contaminated.by.a.txt": 1, "contaminated.by.b.txt": 1}


def test_what_was_written_is_read_again(split: Split, job: ContaminationJob) -> None:
    write_contaminated(split, job)
    lines, tally = read_contaminated(split, job)
    expected = Tally()
    assert list(map(json.loads, lines)) == list(contaminated_documents(split, job.source, expected))
    assert tally.to_json() == expected.to_json()
    before = job.path(split).stat().st_mtime_ns
    write_contaminated(split, job)
    assert job.path(split).stat().st_mtime_ns == before


def test_a_line_is_text_in_utf_8(split: Split, job: ContaminationJob) -> None:
    assert in_one_line({"title": "Äpfel"}) == '{"title": "Äpfel"}'
    line = in_one_line({"title": "Ä\ud83d"})
    assert json.loads(line.encode().decode()) == {"title": "Ä\ud83d"}


def test_what_is_missing_is_one_sentence(split: Split, job: ContaminationJob) -> None:
    with pytest.raises(PreprocessingError, match=r"lost the split of c\.jsonl; run the same command again"):
        read_contaminated(split, job)
    write_contaminated(split, job)
    job.path(split).write_text("{")
    with pytest.raises(PreprocessingError, match=r"is damaged; remove it and run"):
        read_contaminated(split, job)
    with pytest.raises(PreprocessingError, match=r"name dev and test files by --decontamination\.files"):
        evaluation_ngrams(DocumentOptions())
