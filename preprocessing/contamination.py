"""Which documents share runs of words with evaluation data, one JSON line each.

    python -m preprocessing.contamination --wikipedia 'dumps/*.bz2' --decontamination.files 'glue/*/dev.tsv'

Nothing is built. The last line on stderr says how many documents were read and how many of them are contaminated. A
build with the same `--decontamination` options counts the same documents, and leaves them out with
`--decontamination.action drop`.
"""

import json
import sys
from collections.abc import Iterator, Sequence
from typing import Any

from preprocessing.arguments import OptionParser, add_models, build_model
from preprocessing.documents.decontamination import Decontaminator
from preprocessing.documents.options import DecontaminationOptions, DocumentOptions
from preprocessing.documents.parsed_options import document_options
from preprocessing.documents.reading import read_documents
from preprocessing.errors import PreprocessingError
from preprocessing.sources.options import InputOptions
from preprocessing.sources.planning import plan_splits
from preprocessing.tally import Tally


def contaminated_documents(inputs: InputOptions, options: DocumentOptions, tally: Tally) -> Iterator[dict[str, Any]]:
    """For each contaminated document where it is, the evaluation files, and the first shared n-gram."""
    if not options.decontamination.files:
        raise PreprocessingError(
            "There is nothing to compare with; name dev and test files by --decontamination.files."
        )
    known = Decontaminator.load(options.decontamination)
    # The documents are compared here, so reading them must neither compare nor drop.
    reading = options.model_copy(update={"decontamination": DecontaminationOptions()})
    for split in plan_splits(inputs):
        for document in read_documents(split, reading, tally):
            matches = known.matches(document.sentences)
            if matches:
                tally.count("contaminated.documents")
                yield {
                    "source": document.source,
                    "file": document.file,
                    "locator": document.locator,
                    "title": document.title,
                    "evaluation_files": sorted({file for file, _ in matches}),
                    "shared_ngrams": len(matches),
                    "first_ngram": matches[0][1],
                }


def main(argv: Sequence[str] | None = None) -> int:
    """The command; returns the exit code: 0, or 2 with one sentence on stderr."""
    parser = OptionParser("python -m preprocessing.contamination", __doc__.split("\n")[0])
    add_models(parser, (InputOptions, DocumentOptions), config="options of a build's inputs")
    tally = Tally()
    try:
        known = parser.parse_args(argv)
        found = contaminated_documents(build_model(InputOptions, known), document_options(known), tally)
        for line in found:
            print(json.dumps(line, ensure_ascii=False))
    except PreprocessingError as error:
        print(f"preprocessing.contamination: {error}", file=sys.stderr)
        return error.exit_code
    print(f"{tally.counters['contaminated.documents']} of {tally.documents_out} documents", file=sys.stderr)
    return 0


if __name__ == "__main__":
    sys.exit(main())
