"""Beam's engines: their options and their start."""
