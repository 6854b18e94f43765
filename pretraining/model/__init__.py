"""BERT on packed tokens, top to bottom."""
