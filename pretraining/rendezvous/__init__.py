"""The ranks of a run meet: within a set time all are there and agree on what they do, or each ends with a sentence.

In: a rank's number, where rank 0 listens, and what all ranks must have alike. Out: a process group, or an error
that says who did not come, or how a machine differs. Open first: `joining.py`, then `meeting.py` (who comes, and
whether they agree); below it `store.py` (the way to rank 0), `bounded.py` (waiting that ends), `facts.py` (what must be
alike), `network.py` (which network gloo takes). Pretraining and fine-tuning both enter here.
"""

from pretraining.rendezvous.comer import Place
from pretraining.rendezvous.facts import code_version, facts_of
from pretraining.rendezvous.joining import join

__all__ = ["Place", "code_version", "facts_of", "join"]
