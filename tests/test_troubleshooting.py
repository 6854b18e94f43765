"""Every message that docs/troubleshooting.md quotes is one of the code: its fixed parts stand there, in that order.

The other way round, of what the code raises for its user hardly anything is missing there.

A message of the code is a text in the source of a stage, with a gap for each field of an f-string; texts that are
joined by `+` are one. Of shell scripts it is the file, in which a text goes on over the end of a line.
"""

import ast
import re
from functools import cache
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parent.parent
PAGE = REPOSITORY / "docs" / "troubleshooting.md"
STAGES = ("preprocessing", "pretraining", "finetuning", "cluster")
GAP = "\0"
LEAST_CHARACTERS = 10
"""Of the fixed parts of a message: with fewer it would be found anywhere."""
ERRORS = re.compile(
    "(Preprocessing|Pretraining|Finetuning|Cluster|Transient|Retryable|Join|Mismatch|Storage|Denied).*Error"
)
"""Classes whose sentences a user meets, by the beginnings of their names."""
MOST_MISSING = 0.05
"""Share of the sentences that may be missing: some are new, and some no option can bring about."""


def quoted(page: str) -> list[str]:
    """The messages in the first column of the page's tables."""
    cells = [line.split("|")[1] for line in page.splitlines() if line.startswith("| `")]
    return [message for cell in cells for message in re.findall(r"`([^`]+)`", cell)]


def texts(tree: ast.Module) -> list[str]:
    """The texts of a module, with `GAP` for what differs."""
    found: list[str] = []
    parts: set[int] = set()
    for node in ast.walk(tree):
        if id(node) in parts or not isinstance(node, ast.Constant | ast.JoinedStr | ast.BinOp):
            continue
        text = _text(node)
        if text.strip(GAP):
            found.append(text)
            parts.update(id(part) for part in ast.walk(node) if not isinstance(part, ast.FormattedValue | ast.IfExp))
    return found


def _text(node: ast.expr) -> str:
    if isinstance(node, ast.Constant):
        return node.value if isinstance(node.value, str) else ""
    if isinstance(node, ast.JoinedStr):
        return "".join(_text(part) if isinstance(part, ast.Constant) else GAP for part in node.values)
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add):
        return (_text(node.left) or GAP) + (_text(node.right) or GAP)
    return ""


@cache
def messages_of_the_code() -> tuple[str, ...]:
    found = []
    for stage in STAGES:
        for file in sorted((REPOSITORY / stage).rglob("*")):
            if file.suffix == ".py":
                found += texts(ast.parse(file.read_text(encoding="utf-8")))
            elif file.suffix in (".sh", ".sbatch"):
                found.append(re.sub(r'"\s*\\\n\s*"', " ", file.read_text(encoding="utf-8")))
    return tuple(found)


def is_said(message: str, code: tuple[str, ...]) -> bool:
    """Whether the fixed parts of `message` stand in one text of the code, one behind the other."""
    if len(message.replace("…", "")) < LEAST_CHARACTERS:
        return False
    pattern = _pattern(message)
    return any(pattern.search(text) for text in code)


def _pattern(message: str) -> re.Pattern[str]:
    parts = [part for part in message.split("…") if part.strip()]
    return re.compile(".*?".join(map(re.escape, parts)), re.DOTALL)


def test_every_message_is_said_by_the_code() -> None:
    messages = quoted(PAGE.read_text(encoding="utf-8"))
    assert len(messages) > 250
    assert [message for message in messages if not is_said(message, messages_of_the_code())] == []


def raised() -> list[str]:
    """The sentences that errors of ours are made with, as far as they have fixed parts of their own."""
    found = []
    for stage in STAGES:
        for file in sorted((REPOSITORY / stage).rglob("*.py")):
            for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
                if isinstance(node, ast.Call) and ERRORS.fullmatch(ast.unparse(node.func).split(".")[-1]):
                    told = [_text(argument) for argument in node.args]
                    found += [text for text in told if len(text.replace(GAP, "")) > 2 * LEAST_CHARACTERS]
    return found


def test_hardly_any_sentence_of_the_code_is_missing() -> None:
    patterns = [_pattern(message) for message in quoted(PAGE.read_text(encoding="utf-8"))]
    sentences = raised()
    assert len(sentences) > 450
    missing = [text for text in sentences if not any(pattern.search(text) for pattern in patterns)]
    assert len(missing) <= MOST_MISSING * len(sentences), [text.replace(GAP, "…") for text in missing]


def test_every_table_says_cause_and_way_out() -> None:
    for line in PAGE.read_text(encoding="utf-8").splitlines():
        if line.startswith("|"):
            assert line.count("|") == 4, line


@pytest.mark.parametrize(
    ("message", "is_there"),
    [
        ("no such folder … there; give another", True),
        ("no such folder … there; choose another", False),
        ("give another … no such folder", False),
        ("the first part and the second one", True),
        ("a choice of words: the one way", False),
        ("a choice of words: …", True),
        ("…; see", False),
    ],
)
def test_what_counts_as_said(message: str, is_there: bool) -> None:
    source = (
        'f"no such folder {name} there; give another"\n"the first part" + " and the second one"\n'
        "f\"a choice of words: {'the one way' if a else 'the other'}\"\n"
    )
    assert is_said(message, tuple(texts(ast.parse(source)))) is is_there
