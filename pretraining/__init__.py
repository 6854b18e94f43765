"""Stage 2: shards → a pretrained BERT.

The road, room by room: `configuration` (a recipe's tables, checked) → `model` (BERT on packed tokens) and `data`
(shards → global batches) → `optimization` (AdamW, LAMB, schedules) → `run` (the loop and everything around it).
`planning` knows what a run will need, `devices` what a device can do, `rendezvous` how ranks meet, `model_card` how a
model says where it comes from. The files beside the rooms are commands, `errors` and `splitmix`. Open first: `main.py`,
then `run/pretrain.py`.
"""

import logging

# On a machine without a GPU DeepSpeed writes so on standard output when it is imported, in front of the figures that
# `pretraining.evaluate` prints there as JSON. A run says itself on what it computes.
logging.getLogger("DeepSpeed").addFilter(lambda record: "Setting accelerator to CPU" not in record.getMessage())
