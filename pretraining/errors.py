"""What pretraining raises for a mistake that its user can mend, and for a failure that a retry may mend."""


class PretrainingError(Exception):
    """One clear sentence: what is wrong, where, what to do. The command line prints it and exits with `exit_code`."""

    exit_code = 2


class RetryablePretrainingError(PretrainingError):
    """The same command may succeed later or elsewhere (a lost rank, a full disk); 75 is EX_TEMPFAIL."""

    exit_code = 75
