"""Near-duplicates by MinHash and locality-sensitive hashing (Broder 1997): a pass before the build.

    beam run preprocessing/near_duplicates.py --wikipedia 'dumps/*.bz2' --output near-duplicates/
    beam run preprocessing/pipeline.py --wikipedia 'dumps/*.bz2' --drop-lists near-duplicates/drop.arrow …

Workers write the signatures of each split to a file, bring equal bands of signatures together, and compare the
documents that agree on a whole band on their full signatures. The driver links those that reach the threshold. Of each
linked group the longest document stays; the keys of the others go to `drop.arrow`. `groups.arrow` beside it says who
duplicates whom, `report.json` names the largest groups. What a killed run has written is used again.

Memory of the driver: some 100 bytes for each document that has a near-duplicate, none for the others. The result does
not depend on the order of splits, the workers or the runner.
"""

import sys
from pathlib import Path

# Run as a file, without `beam run`, Python looks into this folder first, where `inspect.py` would hide the standard
# library's.
if sys.path and Path(sys.path[0]).resolve() == Path(__file__).resolve().parent:
    sys.path[0] = str(Path(__file__).resolve().parent.parent)

import json
import re
from collections.abc import Sequence
from typing import TYPE_CHECKING

import xxhash

from preprocessing.arguments import OptionParser, add_models, build_model
from preprocessing.atomic_file import make_folder, write_text
from preprocessing.build.folder import with_absolute_files, with_absolute_paths
from preprocessing.documents.bad_share import BadShare, BadShareOptions
from preprocessing.documents.drop_lists import write_sorted_keys
from preprocessing.documents.identity import source_identity
from preprocessing.documents.near_duplicates.groups import Groups, count_documents, find_groups
from preprocessing.documents.near_duplicates.groups_table import largest_groups, write_groups
from preprocessing.documents.near_duplicates.job import LINK_FILES, NearDuplicateJob
from preprocessing.documents.near_duplicates.members import Members
from preprocessing.documents.near_duplicates.signatures import NearDuplicateOptions, read_bad_share
from preprocessing.documents.options import DocumentOptions
from preprocessing.documents.parsed_options import document_options
from preprocessing.errors import PreprocessingError
from preprocessing.jobs.failures import forget_failures, raise_failures
from preprocessing.jobs.garbage_collection import rare_collections
from preprocessing.jobs.runners import add_runner_options, beam_options, quiet
from preprocessing.jobs.splits import write_splits
from preprocessing.jobs.watch import BuildWatch, Phase, forget_progress
from preprocessing.owned_folder import held_folder, remove_own
from preprocessing.progress import SILENT, Progress, progress_of
from preprocessing.sources.options import InputOptions
from preprocessing.sources.parsed_corpus import CORPUS_VERSION
from preprocessing.sources.planning import plan_splits
from preprocessing.sources.split import SPLIT_BYTES, Split

if TYPE_CHECKING:
    from apache_beam.options.pipeline_options import PipelineOptions

INTERRUPTED = 130
DROP_REASON = "near_duplicate"
_MARKER, _LOCK = "near-duplicates.json", "near-duplicates.lock"
_OUTPUTS = r"drop\.arrow|groups\.arrow|report\.json"
_OWN = rf"near-duplicates\.json|{_OUTPUTS}"
_FORMAT = 2  # of signature files: goes up when another would be written for the same input


def find_near_duplicates(
    splits: Sequence[Split],
    source: DocumentOptions,
    options: NearDuplicateOptions,
    output: Path,
    pipeline_options: "PipelineOptions",
    max_bad_share: float | None = None,
    progress: Progress = SILENT,
) -> Path:
    """Runs the whole pass and returns the drop list's path, `output/drop.arrow`. Raises PreprocessingError."""
    # They import Beam: seconds, and only if there is work.
    from preprocessing.build.passes.near_duplicates import near_duplicate_steps
    from preprocessing.jobs.steps import run_steps

    ordered = sorted(splits, key=lambda split: split.key)
    with held_folder(output, _MARKER, _LOCK):
        write_text(output / _MARKER, options.model_dump_json(indent=1) + "\n")
        job = _job(ordered, source, options, output)
        make_folder(job.folder)
        forget_failures(job.folder)
        remove_own(output, _OUTPUTS)  # of other options, perhaps
        remove_own(output, _OWN, temporary_only=True)
        remove_own(job.folder, rf"[0-9a-f]{{32}}\.(?:arrow|json)|{LINK_FILES}", temporary_only=True)
        write_splits(job.splits_path, ordered)
        with _watch(job, ordered, output, progress):
            run_steps(pipeline_options, near_duplicate_steps(job))
        raise_failures(job.folder)
        bad_share = BadShare()
        for split in progress.over(ordered, "add up splits", len(ordered), "splits"):
            bad_share.add_plain(read_bad_share(job.signature_path(split.key)))
        bad_share.enforce(max_bad_share)
        with progress.count("link near-duplicates"):
            members = Members(job)
            groups = find_groups(job, members)
            write_groups(output / "groups.arrow", groups, members)
        write_sorted_keys(output / "drop.arrow", DROP_REASON, groups.dropped_keys.astype(">u8").tobytes())
        report = _report(job, groups, members)
        write_text(output / "report.json", json.dumps(report, indent=2, ensure_ascii=False) + "\n")
        remove_own(job.folder, LINK_FILES)
        forget_progress(output)
        return output / "drop.arrow"


def _job(
    splits: Sequence[Split], source: DocumentOptions, options: NearDuplicateOptions, output: Path
) -> NearDuplicateJob:
    of_signatures = [_FORMAT, CORPUS_VERSION, source_identity(source), options.model_dump(exclude={"threshold"})]
    settings = _digest(of_signatures)
    mark = _digest([settings, options.threshold, [split.key for split in splits]])
    return NearDuplicateJob(output / "signatures" / settings, mark, len(splits), source, options)


def _digest(data: object) -> str:
    return xxhash.xxh3_64_hexdigest(json.dumps(data, sort_keys=True).encode())


def _watch(job: NearDuplicateJob, splits: Sequence[Split], output: Path, progress: Progress) -> BuildWatch:
    """Tells how far the job is; the pieces of linking count alike."""
    total = sum(split.size for split in splits)

    def phase(name: str, kind: str, count: int, unit: str) -> Phase:
        sizes = {f"{number:05d}": total // count for number in range(count)}
        return Phase(name, sizes, re.compile(rf"{kind}-(\d{{5}})-{job.mark}\.arrow"), unit)

    of_split = re.compile(r"([0-9a-f]{32})\.arrow")
    return BuildWatch(
        output,
        job.folder,
        (
            Phase("signatures", {split.key: split.size for split in splits}, of_split, "splits"),
            phase("sort bands", "bands", job.parts, "parts"),
            phase("find candidates", "candidates", job.ranges, "ranges"),
            phase("copy their signatures", "members", job.parts, "parts"),
            phase("compare", "pairs", job.ranges, "ranges"),
        ),
        progress,
    )


def _report(job: NearDuplicateJob, groups: Groups, members: Members) -> dict[str, object]:
    return {
        "options": job.options.model_dump(),
        "documents": count_documents(job),
        "dropped": len(groups.dropped_keys),
        "groups": int(groups.group.max(initial=-1)) + 1,
        "largest_groups": largest_groups(groups, members),
    }


def run(argv: Sequence[str] | None = None) -> int:
    """The command; returns the exit code: 0, or 2 with one sentence on stderr."""
    quiet()
    try:
        with rare_collections():
            print(find_from_arguments(sys.argv[1:] if argv is None else argv))
    except PreprocessingError as error:
        print(f"near_duplicates: {error}", file=sys.stderr)
        return error.exit_code
    except KeyboardInterrupt:
        print("near_duplicates: stopped; the same command again goes on from here.", file=sys.stderr)
        return INTERRUPTED
    return 0


def find_from_arguments(argv: Sequence[str]) -> Path:
    """The same, but raises PreprocessingError. Input and source options must be those of the build."""
    parser = OptionParser("beam run preprocessing/near_duplicates.py", __doc__.split("\n")[0], remote=True)
    add_models(
        parser, (InputOptions, DocumentOptions, NearDuplicateOptions, BadShareOptions), config="options of this pass"
    )
    parser.add_argument(
        "--output", type=Path, required=True, help="folder for drop.arrow, groups.arrow, report.json and signatures"
    )
    parser.add_argument(
        "--split-bytes", type=int, default=SPLIT_BYTES, help="bytes of input that a worker takes at a time"
    )
    add_runner_options(parser)
    known, beam_arguments = parser.parse_known_args(argv)
    pipeline_options = beam_options(beam_arguments, known, parser)
    source = with_absolute_files(document_options(known))
    inputs, progress = build_model(InputOptions, known), progress_of(known)
    found = plan_splits(inputs, known.split_bytes, records=source.records, progress=progress)
    splits = [with_absolute_paths(split) for split in found]
    options, max_bad_share = build_model(NearDuplicateOptions, known), build_model(BadShareOptions, known).max_bad_share
    output = known.output.absolute()
    return find_near_duplicates(splits, source, options, output, pipeline_options, max_bad_share, progress)


if __name__ == "__main__":
    sys.exit(run())
