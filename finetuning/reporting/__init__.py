"""Finished runs → scores with their spread."""
