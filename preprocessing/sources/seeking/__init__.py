"""Compressed streams entered in their middle, so that one large file is the work of many workers.

In: a compressed file. Out: ranges of it (`cutting`, in planning) and the decoded bytes of a range (`opening`, in a
worker). A format says where it can be entered: bz2 at a block, at any bit (`bzip2_marks`, `bzip2_blocks`); gzip at a
Deflate block, with the 32 KiB of text before it (`gzip_points`, `deflate_blocks`); xz at a block, by its own index
(`xz_blocks`); Zstandard at a frame (`zstd_frames`). Open first: `cutting.py`, then `opening.py`.
"""

__all__ = ["cutting", "opening", "seek_points"]
