"""One reader for each benchmark's layout."""
