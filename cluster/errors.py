"""What a user can mend, told in one sentence."""


class ClusterError(Exception):
    """A mistake in how a stage was asked for; the message says what is wrong, where, and what to do."""

    exit_code = 2
