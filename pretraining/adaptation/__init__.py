"""Continued pretraining: a BERT that is there, and text of one's own → the BERT adapted to it.

In: the options of `python -m pretraining.adapt`. Out: its folder (`layout.py`): shards of the text with the model's own
vocabulary, the model that training starts from, the run with its export, and `adaptation.json`: what was won and
forgotten. Open first: `road.py`, the steps in their order, each a command that a person could give (`commands.py`) and
that `child_process.py` runs. `preparation.py` is what is known before they run: `options.py` and the model, which
`source_model.py` finds and checks; `mixture.py` mixes in general text. `new_pieces.py`, `vocabulary.py` and
`start_model.py` add pieces; `record.py` says whose a folder is; `result.py` sets the figures side by side.
"""

__all__ = ["options", "road"]
