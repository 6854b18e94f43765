"""Why a document was dropped, in a sentence for each counter `dropped.REASON`."""

REASONS: dict[str, str] = {
    "bad_file": "The file is damaged, and --skip-bad-files passed over it.",
    "contaminated": "It shares a run of words with the evaluation data that was named.",
    "deleted": "The wiki says that the text was deleted.",
    "disambiguation": "A page that lists what a name may mean.",
    "empty": "No text was left when markup and boilerplate had gone.",
    "exact_duplicate": "Another document has the same text.",
    "malformed": "The record could not be read; the first ones are listed below.",
    "mostly_symbols": "Hardly any letters: tables, code, lists of numbers.",
    "namespace": "A page outside the namespaces that are read: talk, templates, help.",
    "near_duplicate": "Another document has nearly the same text.",
    "no_tokens": "The tokenizer finds nothing in it.",
    "not_text": "The file's suffix is none of those that are read as text.",
    "redirect": "A redirect, which has no text of its own.",
    "repetitive": "It repeats its paragraphs.",
    "too_few_sentences": "Fewer sentences than asked for.",
    "too_short": "Fewer characters than asked for.",
}
"""By the name of the counter without `dropped.`; a drop list of one's own may bring others."""
