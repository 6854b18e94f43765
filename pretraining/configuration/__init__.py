"""What a run is asked to do: a recipe's tables, frozen and checked before anything starts.

In: a TOML file and `--section.key value`. Out: a `tables.Recipe`, and the dictionary that DeepSpeed is started with.
Open first: `tables.py`.
"""

__all__ = ["deepspeed", "recipe", "tables"]
