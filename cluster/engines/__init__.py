"""Beam's engines: an engine's name → Beam options (`options.py`, to open first), and a Dask cluster for one command."""

__all__ = ["options"]
