"""Shards → global batches."""
