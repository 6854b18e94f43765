"""A run's folder, read back when the run is over: for a report, an export, held-out figures, or a check of its ledger.

In: the folder that a run left. Out: its recipe and a whole checkpoint of it (`saved_run.py`, `checkpoint_model.py`),
figures of what it exported (`exported_model.py`), what it puts where a text has [MASK] (`masked_words.py`), the
card of an export (`model_card.py`), or the first step at which it saw other examples than it should have
(`ledger_check.py`).
Open first: `saved_run.py`.
"""

__all__ = ["checkpoint_model", "exported_model", "ledger_check", "masked_words", "model_card", "saved_run"]
