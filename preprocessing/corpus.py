"""Documents parsed once, as an Apache Beam job: cleaned, cut into sentences, and kept for all other commands.

    beam run preprocessing/corpus.py --wikipedia 'dumps/*.bz2' --books 'books/**/*.txt' --output corpus/
    beam run preprocessing/pipeline.py --corpus corpus/ --vocab vocab.txt --output shards/

Every command that takes inputs takes `--corpus` as well, and then reads documents as they are instead of parsing the
raw text again. Shards come out the same, byte for byte. The same command again goes on where it was stopped.
"""

import sys
from pathlib import Path

# Run as a file, without `beam run`, Python looks into this folder first, where `inspect.py` would hide the standard
# library's.
if sys.path and Path(sys.path[0]).resolve() == Path(__file__).resolve().parent:
    sys.path[0] = str(Path(__file__).resolve().parent.parent)

from collections.abc import Sequence

from pydantic import BaseModel, ConfigDict, Field

from preprocessing.arguments import REMOTE, OptionParser, add_models, build_model
from preprocessing.build.corpus import folder as corpus_folder
from preprocessing.build.corpus.folder import ParseJob
from preprocessing.build.folder import with_absolute_paths
from preprocessing.build.idle_options import idle_options
from preprocessing.documents.bad_share import BadShareOptions
from preprocessing.documents.identity import with_template_map
from preprocessing.documents.options import DocumentOptions, ParseOptions
from preprocessing.errors import PreprocessingError
from preprocessing.jobs.failures import raise_failures
from preprocessing.jobs.garbage_collection import rare_collections
from preprocessing.jobs.runners import add_runner_options, beam_options, quiet
from preprocessing.progress import progress_of
from preprocessing.sources.options import InputOptions, RawInputOptions
from preprocessing.sources.parsed_corpus import ParsedCorpus
from preprocessing.sources.planning import plan_splits
from preprocessing.sources.split import SPLIT_BYTES
from preprocessing.sources.wikipedia.declared_language import language_warning
from preprocessing.storage import location
from preprocessing.tally import Tally

INTERRUPTED = 130


class RunOptions(BaseModel):
    """How a parse runs. Of these only `split_bytes` changes its files; the documents in them are the same."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    output: str = Field(
        description="folder of the parsed corpus, on a disk that every worker sees, or remote", json_schema_extra=REMOTE
    )
    split_bytes: int = Field(SPLIT_BYTES, ge=1 << 10, description="bytes of input that a worker takes at a time")
    trust_times: bool = Field(
        False, description="on a further run, take an input for unchanged whose size and time are, without reading it"
    )


def run(argv: Sequence[str] | None = None) -> int:
    """Parses; returns the exit code: 0, or 2 with one sentence on stderr."""
    quiet()
    try:
        with rare_collections():
            print(parse(sys.argv[1:] if argv is None else argv))
    except PreprocessingError as error:
        print(f"corpus: {error}", file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        print("corpus: stopped; the same command again goes on from here.", file=sys.stderr)
        return INTERRUPTED
    return 0


def parse(argv: Sequence[str]) -> str:
    """The same, but raises PreprocessingError; returns what there is to say about the corpus."""
    parser = OptionParser("beam run preprocessing/corpus.py", __doc__.split("\n")[0], remote=True)
    add_models(parser, (RawInputOptions, RunOptions, ParseOptions, BadShareOptions), config="options of a corpus")
    add_runner_options(parser)
    known, beam_arguments = parser.parse_known_args(argv)
    pipeline_options = beam_options(beam_arguments, known, parser)
    options, max_bad_share = build_model(RunOptions, known), build_model(BadShareOptions, known).max_bad_share
    source = with_template_map(build_model(DocumentOptions, known))
    job = ParseJob(location(options.output).absolute(), source)
    progress = progress_of(known)
    for sentence in idle_options(known):
        progress.remark(f"corpus: {sentence}.")
    known_before = corpus_folder.known_inputs(job.folder, options.split_bytes) if options.trust_times else None
    found = plan_splits(build_model(InputOptions, known), options.split_bytes, known_before, source.records, progress)
    if warning := language_warning(found, source.language):
        progress.remark(f"corpus: {warning}.")
    splits = [with_absolute_paths(split) for split in found]
    if not corpus_folder.is_complete(job, splits):
        # They import Beam: seconds, and only if there is work.
        from preprocessing.build.corpus.graph import parse_steps
        from preprocessing.jobs.steps import run_steps

        with corpus_folder.lock(job):
            if not corpus_folder.is_complete(job, splits):  # by another process, while this one waited
                corpus_folder.start(job, splits, options.split_bytes)
                with corpus_folder.watch(job, splits, progress):
                    run_steps(pipeline_options, parse_steps(len(splits), job))
                raise_failures(job.intermediate)
                return f"{job.folder}: {_summary(corpus_folder.finish(job, splits, max_bad_share, progress))}"
    return f"{job.folder} is complete already: nothing to do."


def _summary(corpus: ParsedCorpus) -> str:
    tally = Tally.from_json(corpus.tally)
    dropped = ", ".join(f"{count} {reason}" for reason, count in tally.dropped.items())
    size = sum(split.bytes for split in corpus.splits) / 1e6
    return (
        f"{tally.documents_out} of {tally.documents_in} documents, {size:,.1f} MB in {len(corpus.splits)} files "
        f"(dropped: {dropped or 'none'})"
    )


if __name__ == "__main__":
    sys.exit(run())
