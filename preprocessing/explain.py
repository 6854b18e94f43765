"""Explains one example: dump, page, title, sentences, labels.

    python -m preprocessing.explain shards/train/128/part-00000-of-00004.arrow 17 [--input 'dumps/*.bz2']

Shards keep tokens, not text: the sentences are decoded, and their spelling is the tokenizer's. With `--input`
(the pattern that the build was given) the document is read again and the sentences are shown as they stand in it.
"""

import glob
import sys
from collections.abc import Sequence
from typing import Any

import numpy as np
from rich.console import Console
from rich.table import Table
from rich.text import Text

from preprocessing.arguments import OptionParser, add_storage_options
from preprocessing.documents.document import Document
from preprocessing.documents.options import DocumentOptions
from preprocessing.documents.reading import read_documents
from preprocessing.documents.sentences import Segmenter
from preprocessing.errors import PreprocessingError, printable
from preprocessing.shards.example_text import ExampleText, locate_shard, read_example
from preprocessing.shards.example_view import render
from preprocessing.sources.options import InputOptions
from preprocessing.sources.parsed_corpus import CORPUS_NAME
from preprocessing.sources.planning import plan_splits
from preprocessing.storage import Location, is_remote, location
from preprocessing.tally import Tally
from preprocessing.tokens.tokenizer import Tokenizer


def find_document(wanted: dict[str, Any], pattern: str, options: DocumentOptions) -> Document:
    """The document that a row of the document table names, read again from the inputs that `pattern` matches.

    `pattern` may be the folder of a parsed corpus. Raises PreprocessingError when none of them holds it.
    """
    is_parsed = _is_parsed(pattern)
    inputs = InputOptions.model_validate({"corpus" if is_parsed else wanted["source"]: (pattern,)})
    for split in plan_splits(inputs):
        for piece in split.pieces():
            if (piece.source, piece.file) != (wanted["source"], wanted["file"]):
                continue
            for document in read_documents(piece, options, Tally()):
                # Of a parsed corpus a piece yields the documents of all files that were parsed together.
                if (document.file, document.locator) == (wanted["file"], wanted["locator"]):
                    return document
    raise PreprocessingError(
        f"--input {pattern!r} does not hold {wanted['source']} {wanted['file']} {wanted['locator']}; give the pattern "
        "of the build, so that file names are the same."
    )


def _is_parsed(pattern: str) -> bool:
    return not (is_remote(pattern) and glob.has_magic(pattern)) and (location(pattern) / CORPUS_NAME).is_file()


def sentences_of(ids: Sequence[int], document: Document, tokenizer: Tokenizer) -> list[str]:
    """The sentences of `document` that the run of tokens `ids` touches; empty when the run is not in it."""
    encoded, offsets = tokenizer.encode(list(document.sentences))
    run = np.asarray(ids, dtype=encoded.dtype)
    if not len(run) or len(run) > len(encoded):
        return []
    windows = np.lib.stride_tricks.sliding_window_view(encoded, len(run))
    starts = np.flatnonzero((windows == run).all(axis=1))
    if not len(starts):
        return []
    first = int(np.searchsorted(offsets, starts[0], side="right")) - 1
    last = int(np.searchsorted(offsets, starts[0] + len(run), side="left"))
    return list(document.sentences[first:last])


def explain(path: Location, row: int, pattern: str | None, console: Console) -> None:
    """Prints the explanation of a row."""
    shards, file = locate_shard(path)
    tokenizer = Tokenizer.load(shards.tokenizer_path)
    example = read_example(shards.read(file), row, shards.documents_of(file), tokenizer)
    options = source_options(shards.manifest.configuration)
    label = "random next (1)" if example.is_random_next else "is next (0)"
    console.print(Text(f"{file.name} row {row}: {len(example.shown)} tokens, label: {label}", style="bold"))
    segments = [("A", example.document_a, example.segment_a_ids)]
    if example.has_second_segment:
        segments.append(("B", example.document_b, example.segment_b_ids))
    for name, document, ids in segments:
        console.print(_segment(name, document, len(ids)))
        if pattern is None:
            sentences = Segmenter(options.language).segment([tokenizer.decode(list(ids))])
        else:
            sentences = sentences_of(ids, find_document(document, pattern, options), tokenizer)
            if not sentences:
                raise PreprocessingError(
                    f"segment {name} is not in {document['file']} {document['locator']} as it is now; the file or the "
                    "cleaning is not that of the build."
                )
        for number, sentence in enumerate(sentences, 1):
            console.print(Text(printable(f"  {number}. {sentence}")))
    console.print(_masks(example))
    console.print(render(example, tokenizer.tokens[tokenizer.mask_id]))


def source_options(configuration: dict[str, Any]) -> DocumentOptions:
    """How the build read its sources, from the configuration in its manifest.

    Files that only decide which documents are left out are named there by their contents; they are not needed here.
    """
    source = dict(configuration.get("source", {}))
    source["drop_lists"] = ()
    source["decontamination"] = {**source.get("decontamination", {}), "files": ()}
    return DocumentOptions.model_validate(source)


def _segment(name: str, document: dict[str, Any], tokens: int) -> Text:
    text = Text.assemble((f"segment {name}", "bold"), f" ({tokens} tokens)\n")
    for key in ("source", "file", "locator", "title"):
        text.append(printable(f"  {key}: {document[key]}\n"))
    return text.append("  sentences:")


def _masks(example: ExampleText) -> Table:
    table = Table("position", "the model sees", "to predict", title="labels", title_justify="left")
    for mask in example.masks:
        table.add_row(*(Text(cell) for cell in (str(mask.position), mask.shown, mask.original)))
    return table


def main(argv: Sequence[str] | None = None) -> int:
    """Command line; returns the exit code."""
    parser = OptionParser("python -m preprocessing.explain", __doc__.split("\n")[0], remote=True)
    parser.add_argument("shard", type=location, help="a shard, FOLDER/train/128/part-….arrow")
    parser.add_argument("row", type=int, help="which example of the shard, counted from 0")
    parser.add_argument(
        "--input",
        metavar="PATTERN",
        help="the input of the build, as it was given, or its parsed corpus: the sentences are shown as they stand "
        "there, not decoded",
    )
    parser.remote_keys.add("input")
    add_storage_options(parser)
    try:
        arguments = parser.parse_args(argv)
        explain(arguments.shard, arguments.row, arguments.input, Console(soft_wrap=True))
    except PreprocessingError as error:
        print(f"preprocessing.explain: {error}", file=sys.stderr)
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main())
