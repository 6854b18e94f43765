"""Mutation testing: small faults are put into the source one by one, and the tests have to notice each.

    python -m tests.mutants pretraining/optimization
    python -m tests.mutants finetuning/kinds --sample 300

In: folders or files of the project. Out: a table of scores, the survivors, and `runs/mutants/`. Open first:
`__main__.py`. What is mutated and what is not: `mutations.py`; which tests are asked: `mapping.py`; how a mutant runs
in a fraction of a second: `warm.py`. The operators are those of mutmut (extra `mutation`).
"""
