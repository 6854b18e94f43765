"""Which documents share runs of words with evaluation data, one JSON line each.

    python -m preprocessing.contamination --wikipedia 'dumps/*.bz2' --decontamination.files 'glue/*/dev.tsv'
    beam run preprocessing/contamination.py --wikipedia 'dumps/*.bz2' --decontamination.files 'glue/*/dev.tsv' \\
        --output contamination/

Without `--output` this process reads everything and prints a line as it finds a document. With it the splits are read
by workers, as an Apache Beam job that can be stopped and taken up again: the same lines in the same order go to
`contaminated.jsonl`, the counts to `report.json`. Either way the last line says how many documents were read and how
many of them are contaminated. A build with the same `--decontamination` options counts the same documents, and leaves
them out with `--decontamination.action drop`.
"""

import sys
from pathlib import Path

# Run as a file, without `beam run`, Python looks into this folder first, where `inspect.py` would hide the standard
# library's.
if sys.path and Path(sys.path[0]).resolve() == Path(__file__).resolve().parent:
    sys.path[0] = str(Path(__file__).resolve().parent.parent)

import argparse
import json
import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

import xxhash

from preprocessing.arguments import OptionParser, add_models, build_model
from preprocessing.atomic_file import make_folder, replacing, write_text
from preprocessing.build.folder import with_absolute_files, with_absolute_paths
from preprocessing.documents.bad_share import BadShare, BadShareOptions
from preprocessing.documents.contamination import (
    CONTAMINATED,
    ContaminationJob,
    contaminated_documents,
    evaluation_ngrams,
    in_one_line,
    read_contaminated,
)
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
from preprocessing.progress import BYTES, SILENT, Progress, progress_of
from preprocessing.sources.options import InputOptions
from preprocessing.sources.parsed_corpus import CORPUS_VERSION
from preprocessing.sources.planning import plan_splits
from preprocessing.sources.split import SPLIT_BYTES, Split
from preprocessing.storage import Location, location
from preprocessing.tally import Tally

if TYPE_CHECKING:
    from apache_beam.options.pipeline_options import PipelineOptions

_MARKER, _LOCK = "contamination.json", "contamination.lock"
INTERRUPTED = 130
_OUTPUTS = r"contaminated\.jsonl|report\.json"
_OWN = rf"contamination\.json|{_OUTPUTS}"
_FORMAT = 1  # of what is found in a split: goes up when another would be found in the same input


def run(argv: Sequence[str] | None = None) -> int:
    """The command; returns the exit code: 0, or 2 with one sentence on stderr."""
    quiet()
    try:
        with rare_collections():
            tally = _find(sys.argv[1:] if argv is None else argv)
    except PreprocessingError as error:
        print(f"contamination: {error}", file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        print("contamination: stopped; the same command again goes on from here.", file=sys.stderr)
        return INTERRUPTED
    print(f"{tally.counters[CONTAMINATED]} of {tally.documents_out} documents", file=sys.stderr)
    return 0


def find_contaminated(
    splits: Sequence[Split],
    source: DocumentOptions,
    output: Location,
    pipeline_options: "PipelineOptions",
    max_bad_share: float | None = None,
    progress: Progress = SILENT,
) -> Tally:
    """Runs the Beam job, writes `contaminated.jsonl` and `report.json` into `output`. Raises PreprocessingError."""
    # They import Beam: seconds, and only if there is work.
    from preprocessing.build.passes.contamination import contamination_steps
    from preprocessing.jobs.steps import run_steps

    with held_folder(output, _MARKER, _LOCK):
        identity = json.dumps([_FORMAT, CORPUS_VERSION, source_identity(source)], sort_keys=True)
        write_text(output / _MARKER, json.dumps({"identity": identity}) + "\n")
        folder = output / "splits" / xxhash.xxh3_64_hexdigest(identity.encode())
        job = ContaminationJob(folder, len(splits), source)
        make_folder(job.folder)
        forget_failures(job.folder)
        remove_own(output, _OUTPUTS)  # of other options, perhaps
        remove_own(output, _OWN, temporary_only=True)
        remove_own(job.folder, r"[0-9a-f]{32}\.json|splits\.arrow", temporary_only=True)
        write_splits(job.splits_path, splits)
        sizes = {split.key: split.size for split in splits}
        compare = Phase("compare", sizes, re.compile(r"([0-9a-f]{32})\.json"), "splits")
        with BuildWatch(output, job.folder, (compare,), progress):
            run_steps(pipeline_options, contamination_steps(job))
        raise_failures(job.folder)
        tally = _write(splits, job, output, max_bad_share, progress)
        forget_progress(output)
        return tally


def _write(
    splits: Sequence[Split], job: ContaminationJob, output: Location, max_bad_share: float | None, progress: Progress
) -> Tally:
    """All splits' lines, in the order of the input, and what was counted."""
    tally, bad_share = Tally(), BadShare()
    with replacing(output / "contaminated.jsonl") as temporary, temporary.open("w", encoding="utf-8") as stream:
        for split in progress.over(splits, "add up splits", len(splits), "splits"):
            lines, counted = read_contaminated(split, job)
            stream.writelines(f"{line}\n" for line in lines)
            tally.merge(counted)
            bad_share.add(split, counted)
        bad_share.enforce(max_bad_share)
    report: dict[str, object] = {
        "options": job.source.decontamination.model_dump(mode="json", exclude={"files", "action"}),
        "documents": tally.documents_out,
        "contaminated": tally.counters[CONTAMINATED],
        "counters": dict(sorted(tally.counters.items())),
    }
    write_text(output / "report.json", json.dumps(report, indent=2, ensure_ascii=False) + "\n")
    return tally


def _find(argv: Sequence[str]) -> Tally:
    parser = OptionParser("beam run preprocessing/contamination.py", __doc__.split("\n")[0], remote=True)
    add_models(parser, (InputOptions, DocumentOptions, BadShareOptions), config="options of a build's inputs")
    text = "folder for contaminated.jsonl and report.json, on a disk that every worker sees (default: print the lines)"
    parser.add_argument("--output", type=location, help=text)
    parser.add_argument(
        "--split-bytes", type=int, default=SPLIT_BYTES, help="bytes of input that a worker takes at a time"
    )
    add_runner_options(parser)
    known, beam_arguments = parser.parse_known_args(argv)
    pipeline_options = _beam_options(beam_arguments, known, parser)
    source = with_absolute_files(document_options(known))
    evaluation_ngrams(source)  # what is wrong with the evaluation files is said before anything else is read
    inputs, progress = build_model(InputOptions, known), progress_of(known)
    planned = plan_splits(inputs, known.split_bytes, records=source.records, progress=progress)
    splits = [with_absolute_paths(split) for split in planned]
    max_bad_share = build_model(BadShareOptions, known).max_bad_share
    if pipeline_options is not None:
        output = known.output.absolute()
        return find_contaminated(splits, source, output, pipeline_options, max_bad_share, progress)
    tally, bad_share = Tally(), BadShare()
    with progress.count("compare", sum(split.size for split in splits), BYTES) as count:
        for split in splits:
            counted = Tally()
            for found in contaminated_documents(split, source, counted):
                print(in_one_line(found))
            tally.merge(counted)
            bad_share.add(split, counted)
            count.advance(split.size)
    bad_share.enforce(max_bad_share)
    return tally


def _beam_options(
    arguments: Sequence[str], known: argparse.Namespace, parser: OptionParser
) -> "PipelineOptions | None":
    """None where nothing is to run on Beam, which then is not even imported."""
    if known.output is not None:
        return beam_options(arguments, known, parser)
    if known.workers is not None or any(word.partition("=")[0] == "--runner" for word in arguments):
        raise PreprocessingError(
            "Without --output the documents are printed by one process, so there is no work for a runner; name a "
            "folder, or say python -m preprocessing.contamination without --workers."
        )
    if arguments:  # Beam's options may well be about remote inputs
        beam_options(arguments, known, parser)
    return None


if __name__ == "__main__":
    sys.exit(run())
