"""Near-duplicates by MinHash and locality-sensitive hashing (Broder 1997): a pass before the build.

    beam run preprocessing/near_duplicates.py --wikipedia 'dumps/*.bz2' --output near-duplicates/
    beam run preprocessing/pipeline.py --wikipedia 'dumps/*.bz2' --drop-lists near-duplicates/drop.arrow …

Workers write the signatures of each split to a file; the driver then looks at one band of the signatures after the
other: documents that agree on a whole band are compared on their full signatures, and those that reach the threshold
are linked. Of each linked group the longest document stays; the keys of the others go to `drop.arrow`.
`report.json` beside it names the largest groups. What a killed run has written is used again.

Memory of the driver: some 100 bytes a document (0.7 GB for 6.8 million articles, see benchmarks.sources); signatures
(512 bytes a document) stay on disk, memory-mapped. The result does not depend on the order of splits or the workers.
"""

import sys
from pathlib import Path

# Run as a file, without `beam run`, Python looks into this folder first, where `inspect.py` would hide the standard
# library's.
if sys.path and Path(sys.path[0]).resolve() == Path(__file__).resolve().parent:
    sys.path[0] = str(Path(__file__).resolve().parent.parent)

import json
from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import xxhash

from preprocessing.arguments import OptionParser, add_models, build_model
from preprocessing.atomic_file import write_text
from preprocessing.build.folder import with_absolute_files, with_absolute_paths
from preprocessing.build.runners import add_runner_options, beam_options, quiet, run_pipeline
from preprocessing.documents.drop_lists import write_drop_list
from preprocessing.documents.identity import source_identity
from preprocessing.documents.near_duplicate_groups import Signatures, linked_groups, open_signatures
from preprocessing.documents.near_duplicate_signatures import NearDuplicateOptions, write_split_signatures
from preprocessing.documents.options import DocumentOptions
from preprocessing.documents.parsed_options import document_options
from preprocessing.errors import PreprocessingError
from preprocessing.owned_folder import held_folder
from preprocessing.sources.options import InputOptions
from preprocessing.sources.planning import plan_splits
from preprocessing.sources.split import SPLIT_BYTES, Split

if TYPE_CHECKING:
    import apache_beam as beam
    from apache_beam.options.pipeline_options import PipelineOptions

DROP_REASON = "near_duplicate"
_MARKER, _LOCK = "near-duplicates.json", "near-duplicates.lock"
_GROUPS_REPORTED = 50


def find_near_duplicates(
    splits: Sequence[Split],
    source: DocumentOptions,
    options: NearDuplicateOptions,
    output: Path,
    pipeline_options: "PipelineOptions",
) -> Path:
    """Runs both halves and returns the drop list's path, `output/drop.arrow`. Raises PreprocessingError."""
    with held_folder(output, _MARKER, _LOCK):
        write_text(output / _MARKER, options.model_dump_json(indent=1) + "\n")
        identity = json.dumps([source_identity(source), options.model_dump(exclude={"threshold"})], sort_keys=True)
        settings = xxhash.xxh3_64_hexdigest(identity.encode())
        folder = output / "signatures" / settings
        targets = [folder / f"{split.key}.arrow" for split in splits]
        elements = [(json.dumps(s.to_json()), str(t)) for s, t in zip(splits, targets, strict=True)]
        run_pipeline(pipeline_options, lambda pipeline: _add_graph(pipeline, elements, source, options))
        missing = sum(not target.exists() for target in targets)
        if missing:
            raise PreprocessingError(
                f"{missing} of {len(targets)} signature files are missing in {folder}; run the same command again."
            )
        signatures = open_signatures(sorted(targets), options.permutations)
        groups = linked_groups(signatures, options)
        dropped = dropped_documents(signatures, groups)
        report = _report(signatures, groups, dropped, options)
        write_drop_list(output / "drop.arrow", DROP_REASON, [signatures.key(index) for index in dropped])
        write_text(output / "report.json", json.dumps(report, indent=2, ensure_ascii=False) + "\n")
        return output / "drop.arrow"


def _add_graph(
    pipeline: "beam.Pipeline", elements: list[tuple[str, str]], source: DocumentOptions, options: NearDuplicateOptions
) -> None:
    import apache_beam as beam  # late: see build/runners.py

    _ = (
        pipeline
        | "Splits" >> beam.Create(elements)
        | "Spread" >> beam.Reshuffle()
        | "Signatures" >> beam.Map(write_split_signatures, source.model_dump_json(), options.model_dump_json())
    )


def dropped_documents(signatures: Signatures, groups: np.ndarray) -> np.ndarray:
    """int64: every document but the longest of its group; between equals the one with the smallest key stays."""
    order = np.lexsort((np.arange(len(groups)), -signatures.characters.astype(np.int64), groups))
    is_first = np.ones(len(groups), bool)
    is_first[1:] = groups[order][1:] != groups[order][:-1]
    return np.sort(order[~is_first])


def _report(
    signatures: Signatures, groups: np.ndarray, dropped: np.ndarray, options: NearDuplicateOptions
) -> dict[str, object]:
    sizes = np.bincount(groups, minlength=1)
    largest = np.argsort(-sizes, kind="stable")[:_GROUPS_REPORTED]
    return {
        "options": options.model_dump(),
        "documents": len(groups),
        "dropped": len(dropped),
        "groups": int((sizes > 1).sum()),
        "largest_groups": [
            {"size": int(sizes[g]), "documents": [signatures.name(i) for i in np.flatnonzero(groups == g)[:10]]}
            for g in largest
            if sizes[g] > 1
        ],
    }


def run(argv: Sequence[str] | None = None) -> int:
    """The command; returns the exit code: 0, or 2 with one sentence on stderr."""
    quiet()
    try:
        print(find_from_arguments(sys.argv[1:] if argv is None else argv))
    except PreprocessingError as error:
        print(f"near_duplicates: {error}", file=sys.stderr)
        return error.exit_code
    return 0


def find_from_arguments(argv: Sequence[str]) -> Path:
    """The same, but raises PreprocessingError. Input and source options must be those of the build."""
    parser = OptionParser("beam run preprocessing/near_duplicates.py", __doc__.split("\n")[0])
    add_models(parser, (InputOptions, DocumentOptions, NearDuplicateOptions), config="options of this pass")
    parser.add_argument("--output", type=Path, required=True, help="folder for drop.arrow, report.json and signatures")
    parser.add_argument(
        "--split-bytes", type=int, default=SPLIT_BYTES, help="bytes of input that a worker takes at a time"
    )
    add_runner_options(parser)
    known, beam_arguments = parser.parse_known_args(argv)
    pipeline_options = beam_options(beam_arguments, known, parser)
    splits = [with_absolute_paths(s) for s in plan_splits(build_model(InputOptions, known), known.split_bytes)]
    source = with_absolute_files(document_options(known))
    options = build_model(NearDuplicateOptions, known)
    return find_near_duplicates(splits, source, options, known.output.absolute(), pipeline_options)


if __name__ == "__main__":
    # Workers import the functions from the installed module: what __main__ defines they would not find.
    from preprocessing.near_duplicates import run as run_installed

    sys.exit(run_installed())
