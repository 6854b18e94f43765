"""The model card of a Hugging Face folder: what it is, where it comes from, how well it does, how it is used.

In: a `card.Card`, which pretraining and fine-tuning each fill from what their runs know. Out: the folder's `README.md`,
with the metadata that Hugging Face reads in front, and `lineage.json`, which the next model takes over and extends. A
`README.md` that somebody else wrote stays. Open first: `card.py`; `markdown.py` makes text from outside harmless,
`usage.py` has the code that a reader copies, `code_version.py` names the code that ran.
"""

__all__ = ["card", "code_version", "lineage", "markdown", "usage"]
