"""Counting the words of a sample of the corpus, as a Beam job: what a vocabulary is learnt from."""

import json
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import xxhash

from preprocessing.atomic_file import write_text
from preprocessing.documents.document import Document
from preprocessing.documents.options import DocumentOptions
from preprocessing.documents.reading import faults_in, read_documents
from preprocessing.jobs.failures import unless_failed
from preprocessing.jobs.runners import quiet
from preprocessing.sources.split import Split
from preprocessing.storage import Location, StorageOptions, current_options
from preprocessing.tally import Tally
from preprocessing.tokens.tokenizer import SPECIAL_TOKENS, build
from preprocessing.tokens.vocabulary_training import VocabularyOptions

if TYPE_CHECKING:
    import apache_beam as beam

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

    def counts_path(self, split: Split) -> Location:
        identity = f"{split.key} {self.source_identity} {self.share} {self.normaliser()}"
        return self.intermediate / f"words-{xxhash.xxh3_64_hexdigest(identity.encode())}.json"

    def normaliser(self) -> tuple[bool, bool, bool | None]:
        return not self.options.cased, self.options.separate_chinese, self.options.keep_accents


def add_graph(pipeline: "beam.Pipeline", splits: Sequence[Split], job: CountJob) -> None:
    """Counts the words of every split; the counts go through files."""
    import apache_beam as beam  # late: see jobs/runners.py

    _ = (
        pipeline
        | "Splits" >> beam.Create([split.to_json() for split in splits])
        | "Spread" >> beam.Reshuffle()
        | "Count" >> beam.Map(_count, job=job).with_output_types(int)
    )


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


def _count(split_data: dict[str, Any], job: CountJob) -> int:
    quiet()
    job.storage.apply()
    split = Split.from_json(split_data)
    path = job.counts_path(split)

    def count() -> None:
        counts = count_words(read_documents(split, job.source, Tally()), job)
        write_text(path, json.dumps(counts, sort_keys=True, ensure_ascii=False))

    if not path.is_file():
        unless_failed(job.intermediate, count, lambda: faults_in(split, job.source))
    return 1


def prune(counts: Counter[str], limit: int) -> None:
    """Forgets the rarest words where there are more than `limit`; ties go by spelling."""
    if len(counts) > limit:
        kept = sorted(counts.items(), key=lambda item: (-item[1], item[0]))[: limit // 2]
        counts.clear()
        counts.update(dict(kept))
