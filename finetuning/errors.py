"""Errors a user can mend, and the exit codes that a launcher reads."""

EXIT_USER_ERROR = 2
"""Exit code: the input or the options are wrong; running the same again cannot help."""

EXIT_RETRY = 75
"""Exit code (EX_TEMPFAIL): interrupted from outside; running the same again can help."""


class FinetuningError(Exception):
    """Wrong input or options: one sentence saying what is wrong, where, and what to do."""
