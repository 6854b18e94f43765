"""Options that can do nothing in this build: said, so that nobody believes they did."""

import argparse
from collections.abc import Iterator

_RAW = ("wikipedia", "books", "jsonlines", "parquet", "dataset", "sentences", "text")
# The beginning of an option's name → what has to be given for it to do anything.
_NEEDS = {
    **dict.fromkeys(("skip_bad_files", "max_bad_share", "split_bytes", "trust_times"), _RAW),
    "wikitext.": ("wikipedia",),
    "template_map": ("wikipedia",),
    "books.document": ("books",),
    "books.": ("books", "text"),
    "sentences.": ("sentences",),
    "records.": ("jsonlines", "parquet", "dataset"),
    "dataset_split": ("dataset",),
    "dataset_revision": ("dataset",),
    "decontamination.action": ("decontamination.files",),
    "decontamination.ngram_words": ("decontamination.files",),
    "word_segmenter": ("whole_word_masking",),
}


def idle_options(known: argparse.Namespace) -> Iterator[str]:
    """A sentence for each option on the command line (a file of options may well say more than one build needs)."""
    given = vars(known)
    from_file: frozenset[str] = getattr(known, "from_config", frozenset())
    for name in sorted(given.keys() - from_file):
        for beginning, needs in _NEEDS.items():
            if name.startswith(beginning) and not any(given.get(need) for need in needs):
                wanted = " or ".join(f"--{need.replace('_', '-')}" for need in needs)
                wanted = wanted if needs != _RAW else "raw inputs: those of --corpus are parsed already"
                yield f"--{name.replace('_', '-')} does nothing without {wanted}"
                break
