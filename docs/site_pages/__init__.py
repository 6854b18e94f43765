"""The pages of the site that are made from the code, and not written by hand.

In: the modules of the repository. Out: Markdown of `reference/….md`, which `site_hooks.py` hands to MkDocs; nothing is
written into the tree. Open first: `site_hooks.py`. A module here makes the pages of one subject; `readme.py` makes the
first page of the README, and `tables.py` writes a Markdown table.
"""
