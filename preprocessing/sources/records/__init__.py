"""Formats with a text per row or line → raw documents."""
