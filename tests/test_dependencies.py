"""What is installed with this project: each package pinned, known by a reason, and of a permissive licence.

The tree is walked from `pyproject.toml`, so that what else lies in the environment is nobody's concern.
"""

import re
import tomllib
from collections.abc import Iterator
from email.message import Message
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path

import pytest
from packaging.licenses import InvalidLicenseExpression, canonicalize_license_expression
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

REPOSITORY = Path(__file__).resolve().parents[1]
PROJECT = tomllib.loads((REPOSITORY / "pyproject.toml").read_text(encoding="utf-8"))["project"]
NAME = PROJECT["name"]

PERMISSIVE = frozenset(
    (
        *("0BSD", "Apache-2.0", "BSD-2-Clause", "BSD-3-Clause", "BSL-1.0", "CC0-1.0", "CNRI-Python", "HPND", "ISC"),
        *("MIT", "MIT-0", "MIT-CMU", "PSF-2.0", "Python-2.0", "Unlicense", "Zlib", "LLVM-exception"),
    )
)
WORDS = {
    "mit": "MIT",
    "apache": "Apache-2.0",
    "bsd": "BSD-3-Clause",
    "isc": "ISC",
    "python software foundation": "PSF-2.0",
    "psf": "PSF-2.0",
    "zlib": "Zlib",
    "unlicense": "Unlicense",
    "public domain": "Unlicense",
    "cmu license": "MIT-CMU",
}
"""Old metadata says it in words: what they mean."""
NO_LICENCE = {"OSI Approved", "DFSG approved"}
EXCEPTIONS = {
    "certifi": "MPL-2.0: its own files stay under it, and it is used as it is; comes with requests",
    "codespell": "GPL-2.0: extra `dev`, a program that is run on the texts; nothing links to it",
    "gensim": "LGPL-2.1: extra `demo`, for the excerpt of a dump that it carries; none of its code is run",
    "hjson": "MIT by its LICENSE file, which its metadata calls the Academic Free License; comes with deepspeed",
    "hypothesis": "MPL-2.0: extra `dev`, tests alone",
    "pathspec": "MPL-2.0: extra `dev`, comes with mypy",
    "torchao": "BSD-3-Clause by its LICENSE file; its metadata names none",
    "tqdm": "MPL-2.0 and MIT: its own files stay under it, and it is used as it is; comes with datasets",
}
"""Packages whose metadata names another licence, and why they may be used."""
OF_MUTATION = frozenset(
    ("coverage", "libcst", "linkify-it-py", "mdit-py-plugins", "mutmut", "platformdirs", "setproctitle", "textual")
)
"""What the extra `mutation` alone brings, which `make mutants` installs."""
OF_CUDA = re.compile(r"(nvidia|cuda)-|triton$")
"""What torch brings along where it is built for CUDA: NVIDIA's own licence, versions that torch itself pins."""


def extras_here() -> list[str]:
    """The extras of which everything is installed."""
    return [
        extra
        for extra, needed in PROJECT["optional-dependencies"].items()
        if all(installed(Requirement(text).name) for text in needed)
    ]


def installed(name: str) -> Distribution | None:
    try:
        return distribution(name)
    except PackageNotFoundError:
        return None


def tree() -> dict[str, Distribution]:
    """Every installed distribution that this project asks for, itself or through others, by canonical name."""
    wanted = [Requirement(text) for text in PROJECT["dependencies"]]
    wanted += [Requirement(text) for extra in extras_here() for text in PROJECT["optional-dependencies"][extra]]
    found: dict[str, Distribution] = {}
    seen: set[tuple[str, str]] = set()
    while wanted:
        requirement = wanted.pop()
        name = str(canonicalize_name(requirement.name))
        package = installed(requirement.name)
        if package is None or OF_CUDA.match(name):
            continue
        found[name] = package
        for extra in ("", *sorted(requirement.extras)):
            if (name, extra) in seen:
                continue
            seen.add((name, extra))
            for text in package.requires or ():
                inner = Requirement(text)
                if inner.marker is None or inner.marker.evaluate({"extra": extra}):
                    wanted.append(inner)
    return found


def pins() -> dict[str, str]:
    """Version by canonical name, as `constraints.txt` has them."""
    lines = (REPOSITORY / "constraints.txt").read_text(encoding="utf-8").splitlines()
    pairs = (line.split("==") for line in lines if line and not line.startswith("#"))
    return {str(canonicalize_name(name)): version for name, version in pairs}


def licences(package: Distribution) -> Iterator[str]:
    """The licences that a package names, by their SPDX names where they are known: expression, classifiers or words."""
    metadata = package.metadata
    if expression := metadata.get("License-Expression"):
        yield from re.findall(r"[\w.-]+", re.sub(r"\b(AND|OR|WITH)\b", " ", expression))
        return
    said = [name.split("::")[-1] for name in metadata.get_all("Classifier", []) if name.startswith("License ::")]
    said = [words for words in said if words.strip() not in NO_LICENCE] or [metadata.get("License", "") or ""]
    for words in said:
        yield from _by_words(words)


def _by_words(words: str) -> Iterator[str]:
    first = words.strip().splitlines()[0] if words.strip() else ""
    try:
        yield from re.findall(r"[\w.-]+", re.sub(r"\b(AND|OR|WITH)\b", " ", canonicalize_license_expression(first)))
    except InvalidLicenseExpression:
        meant = [name for word, name in WORDS.items() if re.search(rf"\b{word}\b", first.lower())]
        yield meant[0] if meant else f"{first or 'nothing said'}"


def not_permissive(package: Distribution) -> list[str]:
    return [name for name in licences(package) if name not in PERMISSIVE]


def test_licences_are_permissive() -> None:
    others = {name: found for name, package in tree().items() if (found := not_permissive(package))}
    assert {name: found for name, found in others.items() if name not in EXCEPTIONS} == {}
    assert [name for name in EXCEPTIONS if name in tree() and name not in others] == [], "no exception any more"


def test_everything_is_pinned_at_what_is_installed() -> None:
    known = pins()
    others = {name: package.version for name, package in tree().items() if not _is_pinned(package, known.get(name))}
    assert others == {}, "constraints.txt has other versions, or none: it is what was tested"


def _is_pinned(package: Distribution, pin: str | None) -> bool:
    return pin is not None and package.version.partition("+")[0] == pin  # +cpu is torch's build, not its version


def test_nothing_is_pinned_in_vain() -> None:
    unused = set(pins()) - set(tree())
    assert sorted(unused - OF_MUTATION) == []
    assert "mutation" not in extras_here() or not unused


def test_every_bound_admits_the_pin_and_has_a_reason() -> None:
    page = (REPOSITORY / "docs" / "dependencies.md").read_text(encoding="utf-8").partition("## Tried")[0]
    first_cells = " ".join(re.findall(r"^\| ([^|]+) \|", page, flags=re.MULTILINE))
    named = {str(canonicalize_name(name)) for name in re.findall(r"[\w.-]+", first_cells)}
    groups = [PROJECT["dependencies"], *PROJECT["optional-dependencies"].values()]
    for requirement in (Requirement(text) for group in groups for text in group):
        name = str(canonicalize_name(requirement.name))
        assert [bound.operator for bound in requirement.specifier] == [">="], f"{requirement}: a lower bound alone"
        assert requirement.specifier.contains(pins()[name]), f"{requirement}: constraints.txt has {pins()[name]}"
        assert name in named, f"docs/dependencies.md gives no reason for {name}"


class Told:
    """A distribution of which only the metadata is there."""

    def __init__(self, **fields: str | list[str]) -> None:
        self.metadata = Message()
        for name, values in fields.items():
            for value in [values] if isinstance(values, str) else values:
                self.metadata[name.replace("_", "-")] = value


@pytest.mark.parametrize(
    ("fields", "others"),
    [
        ({"License_Expression": "Apache-2.0 WITH LLVM-exception AND MIT"}, []),
        ({"License_Expression": "MIT OR GPL-3.0-only"}, ["GPL-3.0-only"]),
        ({"Classifier": ["License :: OSI Approved", "License :: OSI Approved :: MIT License"]}, []),
        ({"Classifier": "License :: OSI Approved :: GNU General Public License v3 (GPLv3)"}, None),
        ({"License": "Apache License, Version 2.0"}, []),
        ({"License": "BSD-3-Clause\n\nCopyright"}, []),
        ({"License": "GPL"}, ["GPL"]),
        ({}, ["nothing said"]),
    ],
    ids=str,
)
def test_what_metadata_say(fields: dict[str, str | list[str]], others: list[str] | None) -> None:
    found = not_permissive(Told(**fields))  # type: ignore[arg-type]
    assert found == others if others is not None else found
