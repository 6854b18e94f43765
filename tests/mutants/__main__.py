"""`python -m tests.mutants FOLDER… [--sample N]`: how many small faults in the source the tests notice.

Each folder (or file) is a row of the table that it prints at the end and writes to `runs/mutants/`, beside the
survivors. What is known from an earlier run is not tried again. One mutant at a time, on one core.
"""

import hashlib
import random
import signal
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path

from preprocessing.arguments import OptionParser
from preprocessing.atomic_file import replacing
from preprocessing.errors import PreprocessingError
from tests.mutants.asking import Asking, FailingTestsError
from tests.mutants.ledger import Entry, Ledger, equivalents
from tests.mutants.mapping import files_for
from tests.mutants.scores import score_of, table_of

REPOSITORY = Path(__file__).resolve().parents[2]
EQUIVALENT = Path(__file__).with_name("equivalent.toml")


def modules_below(name: str) -> list[str]:
    """The modules in a folder, or the one that is named, relative to the repository."""
    path = (REPOSITORY / name).resolve()
    if not path.is_relative_to(REPOSITORY) or not path.exists():
        raise PreprocessingError(f"{name}: no folder or file of the project; name one, as pretraining/optimization")
    found = [path] if path.is_file() else sorted(path.rglob("*.py"))
    return [str(file.relative_to(REPOSITORY)) for file in found]


def digest_of(names: Sequence[str], root: Path) -> str:
    """Of the content of some files below `root`."""
    total = hashlib.sha256()
    for name in names:
        total.update((root / name).read_bytes())
    return total.hexdigest()[:16]


def ask_about(folder: str, ledger: Ledger, asking: Asking, sample: int, seed: int) -> tuple[int, list[Entry]]:
    """How many mutants a folder has, and what became of those that were drawn (all of them for a `sample` of 0)."""
    from tests.mutants.mutations import mutations_of

    mutants, root = [], asking.shadow.root  # a copy: the working tree may change meanwhile
    for module in modules_below(folder):
        mutants += [(module, found) for found in mutations_of((root / module).read_text(encoding="utf-8"))]
    drawn = list(range(len(mutants)))
    if 0 < sample < len(mutants):
        drawn = sorted(random.Random(seed).sample(drawn, sample))
    entries, ready, refused = [], "", ""
    for place, index in enumerate(drawn, start=1):
        module, mutation = mutants[index]
        tests = files_for(module, root)
        digests = digest_of([module], root), digest_of(tests, root)
        entry = ledger.known(module, *digests, mutation.key)
        if entry is None and module != refused:
            try:
                if module != ready:
                    seconds = asking.about_the_original(module, tests)
                    ready = module
                    print(f"{module}: {' '.join(tests)}, {seconds:.1f} s a turn", file=sys.stderr)
            except FailingTestsError as failure:
                print(f"{module} is left out: {failure}", file=sys.stderr)
                refused = module
                continue
            outcome = asking.about(module, mutation.source, tests)
            entry = Entry(
                module=module,
                module_digest=digests[0],
                tests_digest=digests[1],
                key=mutation.key,
                scope=mutation.scope,
                line=mutation.line,
                before=mutation.before,
                after=mutation.after,
                killed=outcome.killed,
                by=outcome.by,
                seconds=round(outcome.seconds, 2),
            )
            ledger.add(entry)
            if not entry.killed:
                print(f"  {place} of {len(drawn)} survived: {describe(entry)}", file=sys.stderr)
        if entry is not None:
            entries.append(entry)
    return len(mutants), entries


def describe(entry: Entry) -> str:
    """One mutant in two lines."""
    return f"{entry.module}:{entry.line} {entry.scope}\n    - {entry.before}\n    + {entry.after}"


def main(argv: Sequence[str] | None = None) -> int:
    """Command line; returns the exit code: 0 where all folders were tried, whatever the score."""
    parser = OptionParser("python -m tests.mutants", "How many small faults in the source the tests notice.")
    parser.add_argument("folders", nargs="+", metavar="FOLDER", help="folders or files, a row of the table each")
    parser.add_argument("--sample", type=int, default=0, help="mutants to draw in each folder (default: all)")
    parser.add_argument("--seed", type=int, default=1, help="seed of the draw (default: 1)")
    parser.add_argument("--output", type=Path, default=REPOSITORY / "runs/mutants", help="folder of the results")
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that the copy is removed
    try:
        options = parser.parse_args(argv)
        ledger, known = Ledger(options.output / "mutants.jsonl"), equivalents(EQUIVALENT)
        scores, survivors = [], []
        with tempfile.TemporaryDirectory(prefix="mutants-") as folder, Asking(REPOSITORY, Path(folder)) as asking:
            for name in options.folders:
                of, entries = ask_about(name, ledger, asking, options.sample, options.seed)
                score, left = score_of(name, of, entries, known)
                scores.append(score)
                survivors += left
    except PreprocessingError as error:
        print(error, file=sys.stderr)
        return 2
    table = table_of(scores)
    for name, text in (("scores.md", table), ("survivors.txt", "".join(f"{describe(left)}\n" for left in survivors))):
        with replacing(options.output / name) as path:
            path.write_text(text, encoding="utf-8")
    print(table, end="")
    return 0


if __name__ == "__main__":
    sys.exit(main())
