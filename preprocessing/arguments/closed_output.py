"""How a command ends whose reader has closed standard output."""

import os
import sys

EXIT_PIPE = 141
"""Exit code: nobody reads standard output any more, as a shell says it of SIGPIPE."""


def end_unread() -> int:
    """Lets the interpreter end without failing on what it still wants to write; the exit code."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    return EXIT_PIPE
