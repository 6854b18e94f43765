"""Types of options that argparse does not have."""

import argparse


def positive(text: str) -> int:
    """A whole number from 1 on, as argparse wants its types."""
    if int(text) < 1:
        raise argparse.ArgumentTypeError(f"{text} is not 1 or more")
    return int(text)
