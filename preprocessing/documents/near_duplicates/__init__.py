"""Documents → which of them are near-duplicates of each other, in steps that a worker each can do.

In: a split, or a part of what an earlier step wrote (`job.py` names the files). `signatures.py`: a split → MinHash
signatures. `bands.py`: the signatures of some splits → their bands, sorted. `candidates.py`: a range of band numbers →
pairs that agree on a band. `members.py`: the documents of such pairs, apart from the others. `pairs.py`: a range's
pairs → those that are similar enough. Out: `groups.py`, the pairs linked to groups, and `groups_table.py`, who
duplicates whom. Open first: `job.py`.
"""

__all__ = ["bands", "candidates", "groups", "groups_table", "job", "members", "pairs", "signatures"]
