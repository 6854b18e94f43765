"""Counting the words of a sample of the corpus, as a Beam job: what a vocabulary is learnt from."""

import json
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import xxhash

from preprocessing.atomic_file import write_text
from preprocessing.documents.bad_share import BadShare
from preprocessing.documents.document import Document
from preprocessing.documents.options import DocumentOptions
from preprocessing.documents.reading import faults_in, read_documents
from preprocessing.jobs.failures import unless_failed
from preprocessing.jobs.piece_of_work import begin_work
from preprocessing.jobs.splits import read_split
from preprocessing.sources.parsed_corpus import CORPUS_VERSION
from preprocessing.sources.split import Split
from preprocessing.storage import Location, StorageOptions, current_options
from preprocessing.tally import Tally
from preprocessing.tokens.tokenizer import SPECIAL_TOKENS, build
from preprocessing.tokens.vocabulary_training import VocabularyOptions

if TYPE_CHECKING:
    from preprocessing.jobs.steps import Step

# A split's word counts are pruned to this many words, so that memory does not grow with the corpus; rarer words do
# not decide a vocabulary of some ten thousand pieces.
WORDS_KEPT = 1_000_000


@dataclass(frozen=True)
class CountJob:
    """What a worker needs to know to count words."""

    folder: Location
    source: DocumentOptions
    options: VocabularyOptions
    share: float
    """of the documents that are sampled"""
    source_identity: str = ""
    """`source` with the contents of the files that it names, as text"""
    storage: StorageOptions = field(default_factory=current_options)
    """how remote files are reached"""

    @property
    def intermediate(self) -> Location:
        return self.folder / "intermediate"

    @property
    def splits_path(self) -> Location:
        """The file of all splits."""
        return self.intermediate / "splits.arrow"

    def counts_path(self, split: Split) -> Location:
        identity = f"{CORPUS_VERSION} {split.key} {self.source_identity} {self.share} {self.normaliser()}"
        return self.intermediate / f"counts-{xxhash.xxh3_64_hexdigest(identity.encode())}.json"

    def normaliser(self) -> tuple[bool, bool, bool | None]:
        return not self.options.cased, self.options.separate_chinese, self.options.keep_accents


def count_steps(splits: int, job: CountJob) -> "list[Step]":
    """The one step: counts the words of every split in the job's file of splits; the counts go through files."""
    import apache_beam as beam  # late: seconds

    from preprocessing.jobs.steps import Step

    return [Step("CountWords", "Count" >> beam.Map(_count, job=job).with_output_types(int), splits)]


def count_words(documents: Iterator[Document], job: CountJob) -> Counter[str]:
    """How often each normalised word occurs in the sampled documents."""
    lowercase, chinese, accents = job.normaliser()
    backend = build(
        {token: index for index, token in enumerate(SPECIAL_TOKENS)},
        lowercase=lowercase,
        chinese=chinese,
        accents=accents,
    ).backend
    normalizer, splitter = backend.normalizer, backend.pre_tokenizer
    raw: Counter[str] = Counter()
    for document in documents:
        key = xxhash.xxh3_64_intdigest("\n".join(document.sentences).encode("utf-8", "replace"))
        # Other bits than the ones that choose a bucket or what is held out, by another hash of the content.
        if (key >> 11) * 2.0**-53 < job.share:
            for sentence in document.sentences:
                raw.update(sentence.encode("utf-8", "replace").decode().split())
            prune(raw, 2 * WORDS_KEPT)
    counts: Counter[str] = Counter()
    for chunk, amount in raw.items():  # each distinct chunk is normalised once
        for word, _ in splitter.pre_tokenize_str(normalizer.normalize_str(chunk)):
            counts[word] += amount
    prune(counts, WORDS_KEPT)
    return counts


def _count(number: int, job: CountJob) -> int:
    begin_work(job.storage)
    split = read_split(job.splits_path, number)
    path = job.counts_path(split)

    def count() -> None:
        tally = Tally()
        counts = count_words(read_documents(split, job.source, tally), job)
        found = {"words": counts, "bad": BadShare.plain(split, tally)}
        write_text(path, json.dumps(found, sort_keys=True, ensure_ascii=False))

    if not path.is_file():
        unless_failed(job.intermediate, count, lambda: faults_in(split, job.source))
    return number


def prune(counts: Counter[str], limit: int) -> None:
    """Forgets the rarest words where there are more than `limit`; ties go by spelling."""
    if len(counts) > limit:
        kept = sorted(counts.items(), key=lambda item: (-item[1], item[0]))[: limit // 2]
        counts.clear()
        counts.update(dict(kept))
