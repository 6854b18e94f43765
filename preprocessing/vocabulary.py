"""A WordPiece vocabulary from the same sources as the shards, as an Apache Beam job.

    beam run preprocessing/vocabulary.py --wikipedia 'dumps/*.bz2' --books 'books/**/*.txt' \\
        --vocabulary-size 30522 --output vocab/

Documents are sampled by a hash of their content, so the sample, and with it the vocabulary, depends on the inputs and
the options alone. Trained by `tokenizers`.
"""

import sys
from pathlib import Path

# Run as a file, without `beam run`, Python looks into this folder first, where `inspect.py` would hide the standard
# library's.
if sys.path and Path(sys.path[0]).resolve() == Path(__file__).resolve().parent:
    sys.path[0] = str(Path(__file__).resolve().parent.parent)

import json
import re
from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING

from preprocessing.arguments import OptionParser, add_models, build_model
from preprocessing.atomic_file import make_folder, write_text
from preprocessing.build.configuration import estimated_text_bytes
from preprocessing.build.folder import with_absolute_files, with_absolute_paths
from preprocessing.build.passes.word_counts import WORDS_KEPT, CountJob, count_steps, prune
from preprocessing.documents.bad_share import BadShare, BadShareOptions
from preprocessing.documents.identity import source_identity
from preprocessing.documents.options import DocumentOptions
from preprocessing.documents.parsed_options import document_options
from preprocessing.errors import PreprocessingError
from preprocessing.jobs.failures import forget_failures, raise_failures
from preprocessing.jobs.garbage_collection import rare_collections
from preprocessing.jobs.runners import add_runner_options, beam_options, quiet
from preprocessing.jobs.splits import write_splits
from preprocessing.jobs.watch import BuildWatch, Phase, forget_progress
from preprocessing.owned_folder import held_folder, remove_own
from preprocessing.progress import Progress, progress_of
from preprocessing.sources.options import InputOptions
from preprocessing.sources.planning import plan_splits
from preprocessing.sources.split import Split
from preprocessing.storage import Location, location
from preprocessing.tokens.lost_marks import lost_marks
from preprocessing.tokens.tokenizer import Tokenizer
from preprocessing.tokens.tokenizer import build as build_tokenizer
from preprocessing.tokens.vocabulary_training import VocabularyOptions, train_wordpiece

if TYPE_CHECKING:
    from apache_beam.options.pipeline_options import PipelineOptions

INTERRUPTED = 130
_MARKER, _LOCK = "vocabulary.json", "vocabulary.lock"
_INTERMEDIATE = r"counts-[0-9a-f]{16}\.json|splits\.arrow"


def option_parser() -> OptionParser:
    """The options of this command."""
    parser = OptionParser("beam run preprocessing/vocabulary.py", __doc__.split("\n")[0], remote=True)
    add_models(
        parser, (InputOptions, VocabularyOptions, DocumentOptions, BadShareOptions), config="options of a vocabulary"
    )
    add_runner_options(parser)
    return parser


def run(argv: Sequence[str] | None = None) -> int:
    """Trains a vocabulary; returns the exit code: 0, or 2 with one sentence on stderr."""
    quiet()
    try:
        with rare_collections():
            tokenizer, folder = train(sys.argv[1:] if argv is None else argv)
    except PreprocessingError as error:
        print(f"vocabulary: {error}", file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        print("vocabulary: stopped; the same command again goes on from here.", file=sys.stderr)
        return INTERRUPTED
    print(f"{folder}: {tokenizer.vocabulary_size} pieces; {tokenizer.fingerprint}")
    return 0


def train(argv: Sequence[str]) -> tuple[Tokenizer, Location]:
    """The same, but raises PreprocessingError; returns the tokenizer and its folder."""
    parser = option_parser()
    known, beam_arguments = parser.parse_known_args(argv)
    pipeline_options = beam_options(beam_arguments, known, parser)
    options = build_model(VocabularyOptions, known)
    max_bad_share = build_model(BadShareOptions, known).max_bad_share
    progress = progress_of(known)
    source = with_absolute_files(document_options(known))
    untrained = build_tokenizer({"[UNK]": 0}, lowercase=not options.cased, accents=options.keep_accents)
    warned = lost_marks(untrained, source.language)
    for sentence in warned:
        progress.remark(f"vocabulary: {sentence}.")
    inputs = build_model(InputOptions, known)
    found = plan_splits(inputs, options.split_bytes, records=source.records, progress=progress)
    splits = [with_absolute_paths(split) for split in found]
    job = CountJob(
        folder=location(options.output).absolute(),
        source=source,
        options=options,
        share=min(1.0, options.sample_bytes / max(estimated_text_bytes(splits), 1.0)),
        source_identity=json.dumps(source_identity(source), sort_keys=True),
    )
    with held_folder(job.folder, _MARKER, _LOCK):
        tokenizer = _train(job, splits, pipeline_options, max_bad_share, progress)
    for sentence in lost_marks(tokenizer, source.language):
        if sentence not in warned:  # the text is of another script than --language says
            progress.remark(f"vocabulary: {sentence}.")
    return tokenizer, job.folder


def _train(
    job: CountJob,
    splits: list[Split],
    pipeline_options: "PipelineOptions",
    max_bad_share: float | None,
    progress: Progress,
) -> Tokenizer:
    from preprocessing.jobs.steps import run_steps  # imports Beam: seconds, and only if there is work

    settings = job.options.model_dump(exclude={"output"})
    write_text(job.folder / _MARKER, json.dumps({"complete": False} | settings, indent=1) + "\n")
    make_folder(job.intermediate)
    forget_failures(job.intermediate)
    remove_own(job.intermediate, _INTERMEDIATE, temporary_only=True)
    write_splits(job.splits_path, splits)
    sizes = {job.counts_path(split).name: split.size for split in splits}
    count = Phase("count words", sizes, re.compile(r"(counts-[0-9a-f]{16}\.json)"), "splits")
    with BuildWatch(job.folder, job.intermediate, (count,), progress):
        run_steps(pipeline_options, count_steps(len(splits), job))
    raise_failures(job.intermediate)
    counts: Counter[str] = Counter()
    bad_share = BadShare()
    for split in progress.over(splits, "add up words", len(splits), "splits"):
        path = job.counts_path(split)
        if not path.is_file():
            raise PreprocessingError(f"The runner lost the split of {split.file}; run the same command again.")
        found = json.loads(path.read_text(encoding="utf-8"))
        counts.update(found["words"])
        bad_share.add_plain(found["bad"])
        prune(counts, 2 * WORDS_KEPT)
    bad_share.enforce(max_bad_share)
    with progress.count("train WordPiece"):
        tokenizer = train_wordpiece(counts, job.options)
    tokenizer.save(job.folder)
    summary = {"complete": True, "fingerprint": tokenizer.fingerprint, "sampled_share": job.share, "words": len(counts)}
    write_text(job.folder / _MARKER, json.dumps(summary | settings, indent=1) + "\n")
    forget_progress(job.folder)
    for split in splits:
        job.counts_path(split).unlink(missing_ok=True)
    job.splits_path.unlink(missing_ok=True)
    if not any(job.intermediate.iterdir()):
        job.intermediate.rmdir()
    return tokenizer


if __name__ == "__main__":
    sys.exit(run())
