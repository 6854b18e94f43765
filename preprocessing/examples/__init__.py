"""Pieces → masked examples, by the default or the published recipe."""
