"""The pages of the site that are made from the code, and what fits the written ones to it.

In: the modules of the repository. Out: Markdown of `reference/….md`, which `site_hooks.py` hands to MkDocs; nothing is
written into the tree. Open first: `site_hooks.py`. A module here makes the pages of one subject, with `tables.py`;
`written_pages.py` turns links and figures of the pages in `docs/` into those of the site, and `outside.py` finds what
a page would take from elsewhere.
"""
