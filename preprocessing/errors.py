"""What a user can mend, said in one sentence."""


class PreprocessingError(Exception):
    """An input, a setting or a folder that the user can mend.

    The message is one sentence: what is wrong, where (file, offset, row), and what to do. Command lines print
    it to stderr and leave with `exit_code`, without a traceback.
    """

    exit_code = 2
