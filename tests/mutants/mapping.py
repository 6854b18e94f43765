"""Which tests are asked about a module: those that mirror it, and a few that are listed.

`pretraining/model/bert.py` is asked by `tests/pretraining/model/test_bert.py` and `test_bert_fixed_shapes.py`, but not
by files that are named after a longer neighbour (`test_lamb_layout_zero.py` is of `lamb_layout.py`, not of `lamb.py`);
and by what `FURTHER` lists for it. A module with neither is asked by the tests of its room, or, where there are none,
by those that are named after the room.
"""

from pathlib import Path

_GOLDEN = ("tests/preprocessing/examples/test_default_recipe.py",)  # the bytes of whole examples
FURTHER: dict[str, tuple[str, ...]] = {
    "finetuning/kinds/constant.py": ("tests/finetuning/kinds/test_failure.py",),
    "preprocessing/examples/arrays.py": _GOLDEN,
    "preprocessing/examples/mask_draws.py": _GOLDEN,
    "preprocessing/examples/options.py": _GOLDEN,
    "preprocessing/examples/pairs.py": _GOLDEN,
    "preprocessing/examples/philox.py": _GOLDEN,
    "preprocessing/examples/static_masking.py": _GOLDEN,
    "preprocessing/examples/statistics.py": _GOLDEN,
    "preprocessing/examples/reference_examples.py": ("tests/preprocessing/examples/test_reference_recipe.py",),
    "pretraining/optimization/lamb_layout.py": ("tests/pretraining/optimization/test_lamb.py",),
}
"""Module → test files, relative to the repository's root."""


def files_for(module: str, root: Path) -> tuple[str, ...]:
    """The test files to ask about a module, as paths relative to `root`; empty where there are none."""
    path = Path(module)
    folder = root / "tests" / path.parent
    mirrored = [test for test in sorted(folder.glob("test_*.py")) if _named_for(test, root / path.parent) == path.stem]
    if not mirrored and module not in FURTHER:
        mirrored = sorted(folder.glob("test_*.py")) or sorted(folder.parent.glob(f"test_{folder.name}*.py"))
    names = [str(test.relative_to(root)) for test in mirrored if not test.stem.endswith("_gpu")]
    return tuple(dict.fromkeys((*names, *FURTHER.get(module, ()))))


def _named_for(test: Path, source: Path) -> str:
    """The longest module that a test file is named for."""
    words = test.stem.removeprefix("test_").split("_")
    names = ("_".join(words[:count]) for count in range(len(words), 0, -1))
    return next((name for name in names if (source / f"{name}.py").is_file()), "")
