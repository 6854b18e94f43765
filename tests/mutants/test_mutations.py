"""Which mutants a source has, and which it has not."""

import pytest

pytest.importorskip("mutmut", reason="mutmut is not installed: pip install -e '.[mutation]'")

from tests.mutants.mutations import mutations_of


def changes(source: str) -> list[tuple[str, str]]:
    return [(mutation.before, mutation.after) for mutation in mutations_of(source)]


def test_a_mutant_is_the_source_but_for_one_place() -> None:
    source = "LIMIT = 3\n\n\nclass A:\n    def f(self, x):\n        return (x + 1) < LIMIT\n"
    found = mutations_of(source)
    assert sorted((mutation.line, mutation.scope, mutation.after) for mutation in found) == [
        (1, "", "LIMIT = 4"),
        (1, "", "LIMIT = None"),
        (6, "A.f", "return (x + 1) <= LIMIT"),
        (6, "A.f", "return (x + 2) < LIMIT"),
        (6, "A.f", "return (x - 1) < LIMIT"),
    ]
    for mutation in found:
        assert mutation.source == source.replace(mutation.before, mutation.after)
    assert len({mutation.key for mutation in found}) == len(found)


def test_a_key_outlives_lines_above() -> None:
    (key,) = {mutation.key for mutation in mutations_of("def f():\n    return not g\n")}
    (later,) = {mutation.key for mutation in mutations_of("import os\n\n\ndef f():\n    return not g\n")}
    assert key == later


@pytest.mark.parametrize(
    "source",
    [
        '"""Text."""\n',
        "import a\nfrom b import c\n",
        "def f(x: int = y) -> Literal['a']:\n    '''Text.'''\n    return x\n",
        "@d(1, key=True)\ndef f():\n    pass\n",
        "__all__ = ['a']\n",
        "if bad:\n    raise Error(f'no {x + 1}', 3)\n",
        "print(1)\nwarnings.warn('x', stacklevel=3)\nlog.info(x + 1)\n",
        "x('for people')\n",
        "x(f'{y + 1} times')\n",
        "assert x == 1\n",
        "x: int\n",
        "X = Callable[[int], str]\nY = Literal[0, 1]\nZ = TypeVar('Z', bound=int)\n",
        "if TYPE_CHECKING:\n    x = 1\n",
        "f(description='a', title='b', help='c')\n",
        "zip(strict=True)\nopen(encoding='utf-8')\n",
        "cast(int, 1)\nisinstance(x, int)\nlen(x)\n",
    ],
)
def test_texts_and_types_have_no_mutants(source: str) -> None:
    assert changes(source) == []


def test_a_condition_of_what_is_raised_has_mutants() -> None:
    assert changes("if x > 1:\n    raise Error('too much')\n") == [
        ("if x > 1:", "if x >= 1:"),
        ("if x > 1:", "if x > 2:"),
    ]


def test_arguments_with_a_name_are_left_out_and_others_become_none() -> None:
    assert [after for _, after in changes("f(a, b=c, encoding=d)\n")] == [
        "f(None, b=c, encoding=d)",
        "f(a, encoding=d)",
    ]


def test_a_string_has_one_mutant() -> None:
    assert changes("x['key']\n") == [("x['key']", "x['XXkeyXX']")]
