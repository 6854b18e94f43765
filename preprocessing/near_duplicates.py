"""Near-duplicates by MinHash and locality-sensitive hashing (Broder 1997): a pass before the build.

    beam run preprocessing/near_duplicates.py --wikipedia 'dumps/*.bz2' --output near-duplicates/
    beam run preprocessing/pipeline.py --wikipedia 'dumps/*.bz2' --drop-lists near-duplicates/drop.arrow …

Workers write the signatures of each split to a file; the driver then looks at one band of the signatures after the
other: documents that agree on a whole band are compared on their full signatures, and those that reach the threshold
are linked. Of each linked group the longest document stays; the keys of the others go to `drop.arrow`.
`report.json` beside it names the largest groups. What a killed run has written is used again.

Memory of the driver: about 60 bytes a document (0.4 GB for English Wikipedia) and 9 bytes a linked pair; the signatures
(512 bytes a document) stay on disk, memory-mapped. The result does not depend on the order of splits or the workers.
"""

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

import apache_beam as beam
import numpy as np
import xxhash
from apache_beam.options.pipeline_options import PipelineOptions
from pydantic import ValidationError

from preprocessing.atomic_file import write_text
from preprocessing.drop_lists import write_drop_list
from preprocessing.errors import PreprocessingError
from preprocessing.input_options import InputOptions, SourceOptions
from preprocessing.near_duplicate_groups import Signatures, linked_groups, open_signatures
from preprocessing.near_duplicate_signatures import NearDuplicateOptions, write_split_signatures
from preprocessing.splits import SPLIT_BYTES, Split, plan_splits

DROP_REASON = "near_duplicate"
_GROUPS_REPORTED = 50
_SOURCES = ("wikipedia", "books", "jsonlines", "parquet", "dataset", "sentences")


def find_near_duplicates(
    splits: Sequence[Split],
    source: SourceOptions,
    options: NearDuplicateOptions,
    output: Path,
    beam_arguments: Sequence[str] = ("--runner=FnApiRunner",),
) -> Path:
    """Runs both halves and returns the drop list's path, `output/drop.arrow`. Raises PreprocessingError."""
    settings = xxhash.xxh3_64_hexdigest((source.model_dump_json() + options.model_dump_json()).encode())
    folder = output / "signatures" / settings
    targets = [folder / f"{split.key}.arrow" for split in splits]
    with beam.Pipeline(options=PipelineOptions(list(beam_arguments))) as pipeline:
        _ = (
            pipeline
            | "Splits" >> beam.Create([(json.dumps(s.to_json()), str(t)) for s, t in zip(splits, targets, strict=True)])
            | "Spread" >> beam.Reshuffle()
            | "Signatures" >> beam.Map(write_split_signatures, source.model_dump_json(), options.model_dump_json())
        )
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


def run(argv: Sequence[str] | None = None) -> Path:
    """The command; arguments it does not know go to Beam."""
    parser = argparse.ArgumentParser(prog="beam run preprocessing/near_duplicates.py", description=__doc__)
    for name in _SOURCES:
        parser.add_argument(f"--{name}", nargs="+", default=(), help=InputOptions.model_fields[name].description)
    parser.add_argument("--output", type=Path, required=True, help="folder for drop.arrow, report.json and signatures")
    parser.add_argument("--options", type=Path, help="JSON file with source options; must be those of the build")
    parser.add_argument("--split-bytes", type=int, default=SPLIT_BYTES, help="input bytes a task")
    for name, field in NearDuplicateOptions.model_fields.items():
        parser.add_argument(
            f"--{name.replace('_', '-')}", type=type(field.default), default=field.default, help=field.description
        )
    known, beam_arguments = parser.parse_known_args(argv)
    try:
        inputs = InputOptions(**{name: tuple(getattr(known, name)) for name in _SOURCES})
        source = SourceOptions.model_validate_json(known.options.read_text()) if known.options else SourceOptions()
        options = NearDuplicateOptions(**{name: getattr(known, name) for name in NearDuplicateOptions.model_fields})
    except ValidationError as error:
        first = error.errors()[0]
        raise PreprocessingError(f"--{'.'.join(map(str, first['loc']))}: {first['msg']}.") from error
    except OSError as error:
        raise PreprocessingError(f"--options {known.options} cannot be read ({error.strerror}).") from error
    splits = plan_splits(inputs, known.split_bytes)
    return find_near_duplicates(splits, source, options, known.output, beam_arguments)


if __name__ == "__main__":
    try:
        print(run())
    except PreprocessingError as error:
        print(f"near_duplicates: {error}", file=sys.stderr)
        sys.exit(error.exit_code)
