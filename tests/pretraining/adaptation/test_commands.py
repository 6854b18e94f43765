"""Options of a build go through as a command line has them."""

from pathlib import Path

from pretraining.adaptation import commands
from pretraining.adaptation.options import read_options


def test_options_of_the_build(tmp_path: Path) -> None:
    file = tmp_path / "adapt.toml"
    file.write_text(
        """model = "m"
text = ["t"]
output = "out"
language = "de"
[build]
duplicate_factor = 2
max_predictions = [3, 4]
drop_lists = ["a", "b"]
skip_bad_files = true
cleaning.minimum_sentences = 2
"""
    )
    options, _ = read_options(["--config", str(file)])
    words = commands.build(options, options.sources, Path("v"), Path("o"), "none")
    assert words[5:7] == ["--text", "t"]
    assert words[7:] == [
        *("--vocab=v", "--output=o", "--language=de", "--sequence-lengths=128", "--duplicate-factor=1"),
        *("--objective=none", "--heldout-fraction=0.1", "--seed=1"),
        # The last of an option's values is the one that counts.
        *("--duplicate-factor=2", "--max-predictions=3,4", "--drop-lists=a", "--drop-lists=b"),
        *("--skip-bad-files=yes", "--cleaning.minimum-sentences=2", "--engine", "local"),
    ]
