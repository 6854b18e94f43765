"""The build of shards as an Apache Beam job.

    beam run preprocessing/pipeline.py --wikipedia 'dumps/*.bz2' --books 'books/**/*.txt' --vocab vocab.txt \\
        --output shards/ --sequence-lengths 128,512 --duplicate-factor 5 --workers 8

Every Beam option passes through. Only splits and numbers travel through the runner; bulk goes through files, so that
memory is bounded by the size of a split and of a bucket. The same command again goes on where a build was stopped.
"""

import sys
from pathlib import Path

# Run as a file, without `beam run`, Python looks into this folder first, where `inspect.py` would hide the standard
# library's.
if sys.path and Path(sys.path[0]).resolve() == Path(__file__).resolve().parent:
    sys.path[0] = str(Path(__file__).resolve().parent.parent)

import argparse
import json
from collections.abc import Sequence

from pydantic import BaseModel, ConfigDict, Field

from preprocessing.arguments import REMOTE, OptionParser, add_models, build_model
from preprocessing.build import folder as build_folder
from preprocessing.build.configuration import BuildConfiguration, Job, count_buckets, inputs_hash
from preprocessing.build.idle_options import idle_options
from preprocessing.documents.bad_share import BadShareOptions
from preprocessing.documents.options import DocumentOptions
from preprocessing.documents.parsed_options import document_options
from preprocessing.documents.text_checks import warnings_of
from preprocessing.errors import PreprocessingError
from preprocessing.examples.options import ExampleOptions
from preprocessing.jobs.failures import raise_failures
from preprocessing.jobs.garbage_collection import rare_collections
from preprocessing.jobs.runners import add_runner_options, beam_options, quiet
from preprocessing.progress import progress_of
from preprocessing.shards import Manifest
from preprocessing.shards.thresholds import ThresholdOptions
from preprocessing.sources.options import InputOptions
from preprocessing.sources.planning import plan_splits
from preprocessing.sources.split import SPLIT_BYTES, Split
from preprocessing.sources.wikipedia.declared_language import language_warning
from preprocessing.storage import location
from preprocessing.tokens.lost_marks import lost_marks
from preprocessing.tokens.tokenizer import Tokenizer
from preprocessing.tokens.word_segmentation import load_word_segmenter

INTERRUPTED = 130


class RunOptions(BaseModel):
    """How a build runs. Of these only `bucket_bytes` changes its output."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    vocab: str = Field(description="vocab.txt, tokenizer.json, or a folder that holds either", json_schema_extra=REMOTE)
    lowercase: bool | None = Field(None, description="for a bare vocab.txt: uncased or not (default: as it looks)")
    output: str = Field(
        description="folder of the shards, on a disk that every worker sees, or remote", json_schema_extra=REMOTE
    )
    split_bytes: int = Field(SPLIT_BYTES, ge=1 << 10, description="bytes of input that a worker takes at a time")
    bucket_bytes: int = Field(32 << 20, ge=1 << 10, description="bytes of clean text that become one shard, roughly")
    trust_times: bool = Field(
        False, description="on a further run, take an input for unchanged whose size and time are, without reading it"
    )
    keep_intermediate: bool = Field(False, description="keep the intermediate files when the build is complete")


def option_parser() -> OptionParser:
    """The options of this command."""
    parser = OptionParser("beam run preprocessing/pipeline.py", __doc__.split("\n")[0], remote=True)
    add_models(
        parser,
        (InputOptions, RunOptions, BadShareOptions, ExampleOptions, ThresholdOptions, DocumentOptions),
        config="options of a build",
    )
    add_runner_options(parser)
    text = "print what was built as a JSON object: folder, was_complete, shards, examples, documents, fingerprint"
    parser.add_argument("--json", action="store_true", help=text)
    return parser


def run(argv: Sequence[str] | None = None) -> int:
    """Runs the build; returns the exit code: 0, or 2 with one sentence on stderr."""
    quiet()
    try:
        with rare_collections():
            build(sys.argv[1:] if argv is None else argv)
    except PreprocessingError as error:
        print(f"preprocessing: {error}", file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        print("preprocessing: stopped; the same command again goes on from here.", file=sys.stderr)
        return INTERRUPTED
    return 0


def build(argv: Sequence[str]) -> None:
    """The same, but raises PreprocessingError."""
    parser = option_parser()
    known, beam_arguments = parser.parse_known_args(argv)
    pipeline_options = beam_options(beam_arguments, known, parser)
    options, thresholds = build_model(RunOptions, known), build_model(ThresholdOptions, known)
    progress = progress_of(known)
    inputs_before = (
        build_folder.known_inputs(location(options.output), options.split_bytes) if options.trust_times else None
    )
    source = build_folder.with_absolute_files(document_options(known))
    for sentence in idle_options(known):
        progress.remark(f"preprocessing: {sentence}.")
    splits = plan_splits(build_model(InputOptions, known), options.split_bytes, inputs_before, source.records, progress)
    if warning := language_warning(splits, source.language):
        progress.remark(f"preprocessing: {warning}.")
    splits = [build_folder.with_absolute_paths(split) for split in splits]
    job, tokenizer = prepare(known, options, source, splits)
    for sentence in lost_marks(tokenizer, source.language):
        progress.remark(f"preprocessing: {sentence}.")
    if not build_folder.is_complete(job):
        # They import Beam: seconds, and only if there is work.
        from preprocessing.build.graph import build_steps
        from preprocessing.jobs.steps import run_steps

        with build_folder.lock(job):
            if not build_folder.is_complete(job):  # by another process, while this one waited
                build_folder.start(job, tokenizer, splits, options.split_bytes)
                with build_folder.watch(job, splits, progress):
                    run_steps(pipeline_options, build_steps(len(splits), job))
                raise_failures(job.intermediate)
                manifest = build_folder.finish(job, splits, tokenizer, thresholds, progress)
                build_folder.clean(job, keep=options.keep_intermediate)
                for sentence in [*warnings_of(manifest.counters, source.language), *nothing_held_out(manifest)]:
                    progress.remark(f"preprocessing: {sentence}.")
                print(_summary(job, manifest, was_complete=False, as_json=known.json))
                return
    print(_summary(job, Manifest.read(job.folder), was_complete=True, as_json=known.json))
    build_folder.clean(job, keep=options.keep_intermediate)


def _summary(job: Job, manifest: Manifest, *, was_complete: bool, as_json: bool) -> str:
    """What there is now, in one line for people or for programs."""
    examples, documents = int(manifest.shards.rows.sum()), manifest.counters["documents_out"]
    if as_json:
        found = {"folder": str(job.folder), "was_complete": was_complete, "shards": len(manifest.shards)}
        return json.dumps(found | {"examples": examples, "documents": documents, "fingerprint": manifest.fingerprint})
    if was_complete:
        return f"{job.folder} is complete already: nothing to do."
    return f"{job.folder}: {examples} examples of {documents} documents; {manifest.fingerprint}"


def nothing_held_out(manifest: Manifest) -> list[str]:
    """What to say where the share that was asked for is that of no document, so that no model can be measured."""
    share = manifest.configuration["examples"]["heldout_fraction"]
    if share == 0 or manifest.corpus.heldout_documents:
        return []
    documents = manifest.counters["documents_out"]
    return [
        f"none of the {documents} documents is held out at --heldout-fraction {share}; a larger share holds out some"
    ]


def prepare(
    known: argparse.Namespace, options: RunOptions, source: DocumentOptions, splits: list[Split]
) -> tuple[Job, Tokenizer]:
    """What the workers need to know, all of it checked."""
    tokenizer = Tokenizer.load(options.vocab, options.lowercase)
    examples = build_model(ExampleOptions, known)
    if examples.word_segmenter:
        load_word_segmenter(examples.word_segmenter)
    configuration = BuildConfiguration(
        source=source,
        examples=examples,
        tokenizer_fingerprint=tokenizer.fingerprint,
        buckets=count_buckets(splits, options.bucket_bytes),
    )
    folder = location(options.output).absolute()
    job = Job(
        folder,
        configuration,
        configuration.hash,
        inputs_hash(splits),
        max_bad_share=build_model(BadShareOptions, known).max_bad_share,
    )
    return job, tokenizer


if __name__ == "__main__":
    sys.exit(run())
