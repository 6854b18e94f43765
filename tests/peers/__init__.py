"""What others published, run against ours: only where it lies in the folder that `--peers FOLDER` names.

`agreement.py` counts what agrees, and `agreement.toml` keeps the numbers, which may only grow. docs/peers.md has how to
get the peers. Nothing of theirs is in this repository.
"""
