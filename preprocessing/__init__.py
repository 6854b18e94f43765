"""Stage 1: raw text → training examples in Arrow shards.

The road, room by room: `sources` (files → raw documents; `wikitext` for their markup) → `documents` (cleaned, cut
into sentences) → `tokens` (pieces of words) → `examples` (pairs, masks) → `shards` (the format); `build` runs all of
it as Apache Beam jobs, by what is in `jobs`. The files beside the rooms are commands, and what rooms share: `tally`,
and for the later stages too `errors`, `atomic_file` and `compiled`; the room `storage` opens local and remote files,
the room `arguments` gives every command of the project its options. Open first: `pipeline.py`.
"""
