"""What a recipe leaves to the device, settled before the first step and said in a sentence each.

In: a recipe, and what the device of this rank can do. Out: the recipe with nothing left open (`settings.settle`), and
layers that are compiled, or not, alike on all ranks (`compilation.compile_alike`). Open first: `settings.py`.
"""

__all__ = ["compilation", "settings"]
