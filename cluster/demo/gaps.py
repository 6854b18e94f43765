"""What the demo's model puts into gaps of five sentences, for the demo's page.

    python -m cluster.demo.gaps --model EXPORT --output fill_mask.json

The answers are those of `python -m pretraining.fill_mask`. The sentences were chosen for what a small model can learn
from a few megabytes, words that their neighbours ask for; it does not know that Paris is the capital of France.
"""

import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from cluster.errors import ClusterError

SENTENCES = (
    "The United [MASK] of America is a large country.",
    "The university was founded in the 19th [MASK].",
    "It was one of the [MASK] important books of the century.",
    "The city has a population [MASK] two million people.",
    "Alice said that she [MASK] not like it.",
)


def answers(model: Path, sentences: Sequence[str] = SENTENCES) -> list[dict[str, Any]]:
    """For each sentence, which has one [MASK], the five most probable pieces, most probable first."""
    command = [sys.executable, "-m", "pretraining.fill_mask", "--model", str(model), "--json", *sentences]
    run = subprocess.run(command, capture_output=True, text=True, check=False)
    if run.returncode != 0:
        reason = run.stderr.strip().splitlines()[-1:] or [f"exit code {run.returncode}"]
        raise ClusterError(f"{model} fills no gaps: {reason[0].removeprefix('error: ')}")
    return [
        {
            "sentence": filled["text"],
            "answers": [{"word": one["token_str"], "probability": one["score"]} for one in filled["masks"][0]],
        }
        for filled in map(json.loads, run.stdout.splitlines())
    ]


def main(argv: Sequence[str] | None = None) -> int:
    """Command line; returns the exit code."""
    from preprocessing.arguments import OptionParser
    from preprocessing.atomic_file import write_text
    from preprocessing.errors import PreprocessingError

    parser = OptionParser("python -m cluster.demo.gaps", (__doc__ or "").split("\n")[0], ClusterError)
    text = "Hugging Face folder of a pretrained model, for instance RUN/export"
    parser.add_argument("--model", type=Path, required=True, metavar="FOLDER", help=text)
    text = "the sentences with their answers, as JSON"
    parser.add_argument("--output", type=Path, required=True, metavar="FILE", help=text)
    try:
        given = parser.parse_args(argv)
        write_text(given.output, json.dumps(answers(given.model), indent=1, ensure_ascii=False) + "\n")
    except (ClusterError, PreprocessingError) as error:
        print(f"error: {error}", file=sys.stderr)
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main())
