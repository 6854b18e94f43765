"""Where text lies → raw documents: files, splits, encodings, and one reader for each format."""
