"""What decides how bytes become documents, as plain data that is the same on every machine.

Files that options name are represented by what they hold, wherever they lie.
"""

import os
from pathlib import Path
from typing import Any

from preprocessing.documents.options import DecontaminationOptions, DocumentOptions
from preprocessing.errors import PreprocessingError, of_system
from preprocessing.sources.identity import content_hash
from preprocessing.sources.patterns import expand
from preprocessing.storage import absolute, refuse_unknown_scheme
from preprocessing.wikitext.template_map import read_template_map


def source_identity(options: DocumentOptions) -> dict[str, Any]:
    """All options that change which documents come out, and how.

    Raises PreprocessingError when a file that they name is missing or cannot be read.
    """
    options = with_template_map(options)
    data = options.model_dump(mode="json")
    data["decontamination"]["files"] = [
        f"{name} {_content('--decontamination.files', path)}"
        for path, name in evaluation_files(options.decontamination)
    ]
    data["drop_lists"] = [_content("--drop-lists", path) for path in options.drop_lists]
    del data["template_map"]
    # What is tolerated decides whether a build ends, not what it writes: after a failure, the same command with more
    # tolerance goes on with what is there. The tally counts what was left out.
    del data["skip_bad_files"], data["wikitext"]["accept_truncated"]
    return data


def with_template_map(options: DocumentOptions) -> DocumentOptions:
    """The options with what `--template-map` says in the place of its path: read once, for all workers.

    Raises PreprocessingError for a file that is no such map. An entry on the command line is stronger than the file.
    """
    if options.template_map is None:
        return options
    entries = (*read_template_map(options.template_map), *options.wikitext.templates)
    merged = dict(entry.split(" = ", 1) for entry in entries)
    templates = tuple(f"{name} = {expression}" for name, expression in sorted(merged.items()))
    wikitext = options.wikitext.model_copy(update={"templates": templates})
    return options.model_copy(update={"template_map": None, "wikitext": wikitext})


def evaluation_files(options: DecontaminationOptions) -> list[tuple[str, str]]:
    """(path, name) of the dev and test files, sorted by name, each once; names tell them apart.

    A name is relative to its pattern's fixed prefix (`rte/dev.tsv` for `glue/*/dev.tsv`), or where that is not enough
    to the folder that all of them lie in.
    """
    named = {
        absolute(path): name for pattern in options.files for path, name in expand("--decontamination.files", pattern)
    }
    if len(set(named.values())) < len(named):
        try:
            shared = os.path.commonpath([os.path.dirname(path) for path in named])
        except ValueError as error:  # a disk and an address have no folder in common
            raise PreprocessingError(
                "--decontamination.files: local and remote files have the same name; give all of them from one place."
            ) from error
        named = {path: Path(os.path.relpath(path, shared)).as_posix() for path in named}
    return sorted(named.items(), key=lambda item: item[1])


def _content(option: str, path: str) -> str:
    refuse_unknown_scheme(option, path)
    try:
        return f"xxh3-128:{content_hash(path)}"
    except OSError as error:
        raise of_system(error, f"{option} {path} cannot be read ({error.strerror}); check the path.") from error
