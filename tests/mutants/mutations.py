"""The mutants of a file: its source with one small fault each, by the operators of mutmut.

Mutated is everything that the interpreter runs, constants of modules and classes and compiled loops too, but for
texts that people read and what can change nothing:

- docstrings, annotations, imports, decorators, `__all__`, type variables, aliases of types, blocks for type
  checkers;
- texts: strings with a blank in them, f-strings, what is raised, and what is given to `print`, to `warn` and to a log;
  arguments that are called `description`, `help` or `title`;
- guards and hints that change nothing in right code: `assert`, `zip(strict=…)`, `encoding=`, `stacklevel=`, `cast`,
  `isinstance`, `len` (a wrong argument of the last two fails at once, wherever it is run).

Of a string only one mutant is made, with `XX` at both ends; mutmut's others, in capitals and without, differ from it
in nothing that a test would see. An argument that has a name is left out, one that has none becomes None; the other way
round would be the same again, or no call at all. A function is mutated in place, not beside a switch as mutmut does it,
so that numba can compile it.
"""

import ast
import hashlib
import warnings
from collections.abc import Iterator
from dataclasses import dataclass

import libcst as cst
from libcst.metadata import ByteSpanPositionProvider, MetadataWrapper, PositionProvider
from mutmut.mutation.mutators import mutation_operators

TEXT_CALLS = {"print", "warn", "warning", "debug", "info", "exception"}
PLAIN_CALLS = {"cast", "isinstance", "len"}
PLAIN_ARGUMENTS = {"description", "help", "title", "strict", "encoding", "stacklevel"}


@dataclass(frozen=True)
class Mutation:
    """One mutant of a file."""

    scope: str
    """The function or class that holds it, with dots; empty at the top of the module."""
    line: int
    before: str
    """The lines that differ, without indentation, joined by a line break."""
    after: str
    source: str
    """The whole mutated file."""

    @property
    def key(self) -> str:
        """What is the same while the code around it is; lines above may come and go."""
        return hashlib.sha256("\0".join((self.scope, self.before, self.after)).encode()).hexdigest()[:16]


def mutations_of(source: str) -> list[Mutation]:
    """All mutants of a file, in the order of its lines; each differs from the source and from every other."""
    wrapper = MetadataWrapper(cst.parse_module(source))
    finder = _Finder(source)
    wrapper.visit(finder)
    found: dict[str, Mutation] = {}
    original = ast.dump(ast.parse(source))
    for scope, line, (start, end), old, new in finder.found:
        if source[start:end] == wrapper.module.code_for_node(old):
            mutated = source[:start] + wrapper.module.code_for_node(new) + source[end:]
        else:  # what stands in parentheses has its place inside them; this way is right for all, and slow
            mutated = wrapper.module.deep_replace(old, new).code
        if _means(mutated) in (None, original):
            continue
        before, after = _difference(source, mutated)
        mutation = Mutation(scope, line, before, after, mutated)
        found.setdefault(mutation.key, mutation)
    return sorted(found.values(), key=lambda mutation: mutation.line)


def _means(source: str) -> str | None:
    """The syntax tree; None for what is no Python."""
    try:
        with warnings.catch_warnings(action="ignore"):
            compile(source, "<mutant>", "exec")
            return ast.dump(ast.parse(source))
    except SyntaxError:
        return None


def _difference(source: str, mutated: str) -> tuple[str, str]:
    old, new = source.splitlines(), mutated.splitlines()
    while old and new and old[0] == new[0]:
        del old[0], new[0]
    while old and new and old[-1] == new[-1]:
        del old[-1], new[-1]
    return "\n".join(map(str.strip, old)), "\n".join(map(str.strip, new))


class _Finder(cst.CSTVisitor):
    """Collects (scope, line, from which character to which, node, mutated node)."""

    METADATA_DEPENDENCIES = (ByteSpanPositionProvider, PositionProvider)

    def __init__(self, source: str) -> None:
        super().__init__()
        self._bytes = source.encode()
        self.found: list[tuple[str, int, tuple[int, int], cst.CSTNode, cst.CSTNode]] = []
        self._scope: list[str] = []

    def on_visit(self, node: cst.CSTNode) -> bool:
        if _is_left_alone(node):
            return False
        if isinstance(node, cst.FunctionDef | cst.ClassDef):
            self._scope.append(node.name.value)
        for new in _mutants_of(node):
            line = self.get_metadata(PositionProvider, node).start.line
            self.found.append((".".join(self._scope), line, self._characters(node), node, new))
        return True

    def _characters(self, node: cst.CSTNode) -> tuple[int, int]:
        span = self.get_metadata(ByteSpanPositionProvider, node)
        start = len(self._bytes[: span.start].decode())
        return start, start + len(self._bytes[span.start : span.start + span.length].decode())

    def on_leave(self, original_node: cst.CSTNode) -> None:
        if isinstance(original_node, cst.FunctionDef | cst.ClassDef):
            self._scope.pop()


def _mutants_of(node: cst.CSTNode) -> Iterator[cst.CSTNode]:
    for kind, operator in mutation_operators:
        if not isinstance(node, kind):
            continue
        mutants = list(operator(node))
        if isinstance(node, cst.SimpleString):
            mutants = mutants[:1]
        yield from (mutant for mutant in mutants if not _is_the_same_again(node, mutant))


def _is_left_alone(node: cst.CSTNode) -> bool:
    match node:
        case cst.Annotation() | cst.Decorator() | cst.Import() | cst.ImportFrom() | cst.Raise() | cst.Assert():
            return True
        case cst.FormattedString() | cst.ConcatenatedString():
            return True
        case cst.SimpleString(value=value):
            return " " in value or value.startswith(('"""', "'''"))
        case cst.Expr(value=cst.SimpleString()):
            return True
        case cst.Assign(targets=[cst.AssignTarget(target=cst.Name("__all__"))]):
            return True
        case cst.Call(func=cst.Name(name) | cst.Attribute(attr=cst.Name(name))):
            return name in TEXT_CALLS | PLAIN_CALLS
        case cst.Arg(keyword=cst.Name(name)):
            return name in PLAIN_ARGUMENTS
        case cst.Assign(value=cst.Subscript(value=cst.Name("Callable" | "Literal"))):
            return True
        case cst.Assign(value=cst.Call(func=cst.Name("TypeVar" | "ParamSpec"))):
            return True
        case cst.If(test=cst.Name("TYPE_CHECKING")):
            return True
    return False


def _is_the_same_again(node: cst.CSTNode, mutant: cst.CSTNode) -> bool:
    """Whether mutmut left out an argument, or made it None, where that is no mutant of ours."""
    if not isinstance(node, cst.Call) or not isinstance(mutant, cst.Call) or node.func is not mutant.func:
        return False
    kept = {id(argument) for argument in mutant.args}
    is_left_out = len(mutant.args) < len(node.args)
    return any(
        id(argument) not in kept and (_is_plain(argument) or is_left_out == (argument.keyword is None))
        for argument in node.args
    )


def _is_plain(argument: cst.Arg) -> bool:
    named = argument.keyword is not None and argument.keyword.value in PLAIN_ARGUMENTS
    text = isinstance(argument.value, cst.FormattedString | cst.ConcatenatedString)
    text |= isinstance(argument.value, cst.SimpleString) and " " in argument.value.value
    return named or text
