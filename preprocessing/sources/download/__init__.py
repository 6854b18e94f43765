"""What `preprocessing.download` fetches: Project Gutenberg's catalogue, and one file at a time, resumed and checked."""

__all__ = ["catalogue", "transfer"]
