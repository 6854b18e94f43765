"""A WordPiece vocabulary from the same sources as the shards, as an Apache Beam job.

    beam run preprocessing/vocabulary.py --wikipedia 'dumps/*.bz2' --books 'books/**/*.txt' \\
        --vocabulary-size 30522 --output vocab/

Documents are sampled by a hash of their content, so the sample, and with it the vocabulary, depends on the inputs and
the options alone. Trained by `tokenizers`.
"""

import json
import sys
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import apache_beam as beam
import xxhash
from pydantic import BaseModel, ConfigDict, Field

from preprocessing.arguments import OptionParser, add_models, build_model
from preprocessing.atomic_file import make_folder, write_text
from preprocessing.build.configuration import estimated_text_bytes
from preprocessing.build.failure_note import forget_failure, note_failure, raise_failure
from preprocessing.build.folder import with_absolute_files, with_absolute_paths
from preprocessing.build.runners import add_runner_options, beam_options, quiet, run_pipeline
from preprocessing.documents.document import Document
from preprocessing.documents.reading import read_documents
from preprocessing.errors import PreprocessingError
from preprocessing.sources.options import InputOptions, SourceOptions
from preprocessing.sources.planning import SPLIT_BYTES, plan_splits
from preprocessing.sources.split import Split
from preprocessing.tally import Tally
from preprocessing.tokens.tokenizer import SPECIAL_TOKENS, Tokenizer, build
from preprocessing.tokens.wordpiece_training import learn_pieces

# A split's word counts are pruned to this many words, so that memory does not grow with the corpus; rarer words do
# not decide a vocabulary of some ten thousand pieces.
WORDS_KEPT = 1_000_000
_COMPLETE = "vocabulary.json"


class VocabularyOptions(BaseModel):
    """What the vocabulary is like."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    output: str = Field(description="folder of vocab.txt, tokenizer.json and tokenizer_config.json")
    vocabulary_size: int = Field(30522, ge=100, le=1 << 24, description="pieces, special and unused ones included")
    unused_tokens: int = Field(0, ge=0, description="how many [unused…] to reserve (published vocabularies: 99 to 994)")
    cased: bool = Field(False, description="keep case")
    keep_accents: bool | None = Field(None, description="keep accents (default: only where case is kept, as BERT does)")
    separate_chinese: bool = Field(True, description="each Chinese character is a word of its own")
    minimum_frequency: int = Field(2, ge=1, description="a piece occurs this often at least in the sample")
    character_coverage: float = Field(
        0.9999, gt=0, le=1, description="share of all characters that must be in the vocabulary; the rarest are not"
    )
    sample_bytes: int = Field(256 << 20, ge=1, description="bytes of clean text to learn from, roughly")
    split_bytes: int = Field(SPLIT_BYTES, ge=1 << 10, description="bytes of input that a worker takes at a time")


@dataclass(frozen=True)
class CountJob:
    """What a worker needs to know to count words."""

    folder: Path
    source: SourceOptions
    options: VocabularyOptions
    share: float
    """of the documents that are sampled"""

    @property
    def intermediate(self) -> Path:
        return self.folder / "intermediate"

    def counts_path(self, split: Split) -> Path:
        identity = f"{split.key} {self.source.model_dump_json()} {self.share} {self.normaliser()}"
        return self.intermediate / f"words-{xxhash.xxh3_64_hexdigest(identity.encode())}.json"

    def normaliser(self) -> tuple[bool, bool, bool | None]:
        return not self.options.cased, self.options.separate_chinese, self.options.keep_accents


def run(argv: Sequence[str] | None = None) -> int:
    """Trains a vocabulary; returns the exit code: 0, or 2 with one sentence on stderr."""
    quiet()
    try:
        tokenizer, folder = train(sys.argv[1:] if argv is None else argv)
    except PreprocessingError as error:
        print(f"vocabulary: {error}", file=sys.stderr)
        return error.exit_code
    print(f"{folder}: {tokenizer.vocabulary_size} pieces; {tokenizer.fingerprint}")
    return 0


def train(argv: Sequence[str]) -> tuple[Tokenizer, Path]:
    """The same, but raises PreprocessingError; returns the tokenizer and its folder."""
    parser = OptionParser(prog="preprocessing/vocabulary.py", description=__doc__.split("\n")[0])
    add_models(parser, (InputOptions, VocabularyOptions, SourceOptions))
    add_runner_options(parser)
    known, beam_arguments = parser.parse_known_args(argv)
    pipeline_options = beam_options(beam_arguments, known, parser)
    options = build_model(VocabularyOptions, known)
    splits = [
        with_absolute_paths(split) for split in plan_splits(build_model(InputOptions, known), options.split_bytes)
    ]
    job = CountJob(
        folder=Path(options.output).absolute(),
        source=with_absolute_files(build_model(SourceOptions, known)),
        options=options,
        share=min(1.0, options.sample_bytes / max(estimated_text_bytes(splits), 1.0)),
    )
    make_folder(job.intermediate)
    forget_failure(job.intermediate)
    run_pipeline(pipeline_options, lambda pipeline: add_graph(pipeline, splits, job))
    raise_failure(job.intermediate)
    counts: Counter[str] = Counter()
    for split in splits:
        counts.update(json.loads(job.counts_path(split).read_text(encoding="utf-8")))
        _prune(counts, 2 * WORDS_KEPT)
    tokenizer = train_wordpiece(counts, options)
    tokenizer.save(job.folder)
    summary = {"fingerprint": tokenizer.fingerprint, "sampled_share": job.share, "words": len(counts)}
    write_text(job.folder / _COMPLETE, json.dumps(summary | options.model_dump(exclude={"output"}), indent=1) + "\n")
    for split in splits:
        job.counts_path(split).unlink(missing_ok=True)
    if not any(job.intermediate.iterdir()):
        job.intermediate.rmdir()
    return tokenizer, job.folder


def add_graph(pipeline: beam.Pipeline, splits: Sequence[Split], job: CountJob) -> None:
    """Counts the words of every split; the counts go through files."""
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
            _prune(raw, 2 * WORDS_KEPT)
    counts: Counter[str] = Counter()
    for chunk, amount in raw.items():  # each distinct chunk is normalised once
        for word, _ in splitter.pre_tokenize_str(normalizer.normalize_str(chunk)):
            counts[word] += amount
    _prune(counts, WORDS_KEPT)
    return counts


def train_wordpiece(counts: Counter[str], options: VocabularyOptions) -> Tokenizer:
    """A tokenizer of `options.vocabulary_size` pieces at most, special tokens first, from counts of normalised words.

    Raises PreprocessingError when there are no words or no room for them.
    """
    if not counts:
        raise PreprocessingError("The inputs hold no words to learn a vocabulary from; check them and --sample-bytes.")
    # [PAD] is 0 as everywhere; the unused ones follow it, as in the published vocabularies.
    reserved = [SPECIAL_TOKENS[0], *(f"[unused{i}]" for i in range(options.unused_tokens)), *SPECIAL_TOKENS[1:]]
    if options.vocabulary_size <= 2 * len(reserved):
        raise PreprocessingError(f"--vocabulary-size {options.vocabulary_size} leaves no room for words; raise it.")
    pieces = learn_pieces(
        counts, reserved, options.vocabulary_size, options.minimum_frequency, options.character_coverage
    )
    return build(
        {piece: index for index, piece in enumerate(pieces)},
        lowercase=not options.cased,
        chinese=options.separate_chinese,
        accents=options.keep_accents,
    )


def _count(split_data: dict[str, Any], job: CountJob) -> int:
    quiet()
    split = Split.from_json(split_data)
    path = job.counts_path(split)
    if not path.is_file():
        try:
            counts = count_words(read_documents(split, job.source, Tally()), job)
            write_text(path, json.dumps(counts, sort_keys=True, ensure_ascii=False))
        except PreprocessingError as error:
            note_failure(job.intermediate, error)
    return 1


def _prune(counts: Counter[str], limit: int) -> None:
    """Forgets the rarest words where there are more than `limit`; ties go by spelling."""
    if len(counts) > limit:
        kept = sorted(counts.items(), key=lambda item: (-item[1], item[0]))[: limit // 2]
        counts.clear()
        counts.update(dict(kept))


if __name__ == "__main__":
    # Workers import the functions from the installed module: what __main__ defines they would not find.
    from preprocessing.vocabulary import run as run_installed

    sys.exit(run_installed())
