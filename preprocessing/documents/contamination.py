"""The documents of a split that share runs of words with evaluation data, for people to look at."""

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from preprocessing.atomic_file import write_text
from preprocessing.documents.decontamination import Decontaminator
from preprocessing.documents.options import DecontaminationOptions, DocumentOptions
from preprocessing.documents.reading import read_documents
from preprocessing.errors import PreprocessingError
from preprocessing.sources.split import Split
from preprocessing.storage import Location, StorageOptions, current_options
from preprocessing.tally import Tally

CONTAMINATED = "contaminated.documents"


@dataclass(frozen=True)
class ContaminationJob:
    """What a worker needs to know."""

    folder: Location
    """Of a file a split, as every worker sees it."""
    splits: int
    source: DocumentOptions
    storage: StorageOptions = field(default_factory=current_options)
    """How remote files are reached."""

    @property
    def splits_path(self) -> Location:
        """The file of all splits, in the order of the input."""
        return self.folder / "splits.arrow"

    def path(self, split: Split) -> Location:
        """What was found in a split: where it lies, the split is done."""
        return self.folder / f"{split.key}.json"


def evaluation_ngrams(options: DocumentOptions) -> Decontaminator:
    """The n-grams of the evaluation files. Raises PreprocessingError when there are none."""
    if not options.decontamination.files:
        raise PreprocessingError(
            "There is nothing to compare with; name dev and test files by --decontamination.files."
        )
    return Decontaminator.load(options.decontamination, options.language)


def contaminated_documents(split: Split, options: DocumentOptions, tally: Tally) -> Iterator[dict[str, Any]]:
    """For each contaminated document where it is, the evaluation files, and the first shared n-gram, in order.

    `tally` counts what was read, `contaminated.documents` and `contaminated.by.<file>`. Raises PreprocessingError as
    `evaluation_ngrams` and reading do.
    """
    known = evaluation_ngrams(options)
    # The documents are compared here, so reading them must neither compare nor drop.
    reading = options.model_copy(update={"decontamination": DecontaminationOptions()})
    for document in read_documents(split, reading, tally):
        matches = known.matches(document.sentences)
        if matches:
            files = sorted({file for file, _ in matches})
            tally.count(CONTAMINATED)
            for file in files:
                tally.count(f"contaminated.by.{file}")
            yield {
                "source": document.source,
                "file": document.file,
                "locator": document.locator,
                "title": document.title,
                "evaluation_files": files,
                "shared_ngrams": len(matches),
                "first_ngram": matches[0][1],
            }


def write_contaminated(split: Split, job: ContaminationJob) -> None:
    """Writes what the split holds to its file, unless that is there. Memory: a split's contaminated documents."""
    target = job.path(split)
    if not target.is_file():
        tally = Tally()
        lines = [in_one_line(found) for found in contaminated_documents(split, job.source, tally)]
        write_text(target, json.dumps({"documents": lines, "tally": tally.to_json()}))


def read_contaminated(split: Split, job: ContaminationJob) -> tuple[list[str], Tally]:
    """(a line of JSON for each document, what was counted). Raises PreprocessingError for a lost or damaged file."""
    path = job.path(split)
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        return list(content["documents"]), Tally.from_json(content["tally"])
    except FileNotFoundError as error:
        raise PreprocessingError(f"The runner lost the split of {split.file}; run the same command again.") from error
    except (ValueError, KeyError) as error:
        raise PreprocessingError(f"{path} is damaged; remove it and run the same command again.") from error


def in_one_line(found: dict[str, Any]) -> str:
    """A document as a line of JSON, in any encoding the same: half a surrogate pair stays escaped."""
    text = json.dumps(found, ensure_ascii=False)
    return text if text.isascii() or _is_text(text) else json.dumps(found)


def _is_text(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True
