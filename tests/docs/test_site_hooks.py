"""The site that `make docs` builds: all pages are in its navigation, and are the same there as on GitHub."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import markdown
import pytest
import site_hooks
import yaml
from markdown_it import MarkdownIt
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.exceptions import PluginError
from mkdocs.structure.files import File
from mkdocs.structure.pages import Page

REPOSITORY = Path(__file__).resolve().parents[2]
PAGES = [REPOSITORY / name for name in site_hooks.BESIDE_DOCS] + sorted((REPOSITORY / "docs").glob("*.md"))


class _Loader(yaml.SafeLoader):
    """Reads `mkdocs.yml`, whose slugs are a function."""


_Loader.add_multi_constructor("tag:yaml.org,2002:python/", lambda loader, suffix, node: suffix)


@pytest.fixture(scope="module")
def settings() -> dict[str, Any]:
    return yaml.load((REPOSITORY / "mkdocs.yml").read_text(encoding="utf-8"), _Loader)


@pytest.fixture
def config(tmp_path: Path) -> MkDocsConfig:
    config = MkDocsConfig()
    (tmp_path / "docs").mkdir()
    config.load_dict({"site_name": "x", "docs_dir": str(tmp_path / "docs"), "site_dir": str(tmp_path / "site")})
    assert config.validate()[0] == []
    return config


def pages_in(navigation: Any) -> Iterator[str]:
    if isinstance(navigation, str):
        yield navigation
    for inner in navigation.values() if isinstance(navigation, dict) else navigation:
        if not isinstance(navigation, str):
            yield from pages_in(inner)


def test_every_page_is_in_the_navigation_once(settings: dict[str, Any]) -> None:
    written = {path.name for path in (REPOSITORY / "docs").glob("*.md")} | {*site_hooks.BESIDE_DOCS.values()}
    to_come = set(settings["extra"].get("pages_to_come") or ())
    listed = [name for name in pages_in(settings["nav"]) if not name.startswith("reference/")]
    assert sorted(listed) == sorted(written | to_come)


def test_every_room_of_the_reference_is_in_the_navigation(settings: dict[str, Any]) -> None:
    listed = [name for name in pages_in(settings["nav"]) if name.startswith("reference/api/")]
    assert listed == [f"reference/api/{room}.md" for room in site_hooks.public_api.ROOMS]


def test_a_page_that_has_come_is_no_longer_announced(settings: dict[str, Any]) -> None:
    come = [name for name in settings["extra"].get("pages_to_come") or () if (REPOSITORY / "docs" / name).exists()]
    assert come == [], "they are there: take them off pages_to_come in mkdocs.yml"


def test_warnings_are_errors(settings: dict[str, Any]) -> None:
    assert settings["strict"] is True
    assert settings["validation"]["links"]["anchors"] == "warn"
    assert settings["theme"]["font"] is False


def test_announced_pages_are_left_out_until_they_are_there(config: MkDocsConfig) -> None:
    config.nav = ["a.md", {"One": [{"B": "b.md"}]}, {"Two": ["c.md", {"D": "d.md"}]}]
    config.extra = {"pages_to_come": ["a.md", "b.md", "d.md"]}
    (Path(config.docs_dir) / "a.md").write_text("# a")
    assert site_hooks.on_config(config).nav == ["a.md", {"Two": ["c.md"]}]


def test_a_page_that_loads_from_elsewhere_is_refused_and_links_are_listed(config: MkDocsConfig) -> None:
    page = Page("a", File("a.md", config.docs_dir, config.site_dir, use_directory_urls=False), config)
    site_hooks.on_config(config)
    site_hooks.on_post_page('<a href="https://x.org/">x</a>', page, config)
    Path(config.site_dir).mkdir()
    site_hooks.on_post_build(config)
    assert (Path(config.site_dir) / site_hooks.EXTERNAL_LINKS).read_text() == "https://x.org/\ta.md\n"
    with pytest.raises(PluginError, match=r"a\.md loads https://x\.org/a\.js"):
        site_hooks.on_post_page('<script src="https://x.org/a.js"></script>', page, config)


@pytest.mark.parametrize("path", PAGES, ids=lambda path: path.name)
def test_a_page_is_the_same_on_github_and_on_the_site(path: Path) -> None:
    """Both read the same lists, blocks and tables: Python-Markdown wants four blanks before what a list item holds."""
    text = path.read_text(encoding="utf-8")
    on_site = markdown.markdown(text, extensions=["tables", "fenced_code"])
    on_github = MarkdownIt("commonmark").enable("table").render(text)
    assert elements_of(on_site) == elements_of(on_github)


def elements_of(html: str) -> dict[str, int]:
    names = [
        "h1",
        "h2",
        "h3",
        "h4",
        "ul",
        "ol",
        "li",
        "pre",
        "table",
        "tr",
        "th",
        "td",
        "code",
        "a",
        "p",
        "em",
        "strong",
    ]
    return {name: len(re.findall(rf"<{name}[ >]", html)) for name in names}


def test_a_page_that_is_not_the_same_would_be_noticed() -> None:
    text = "- a\n  - b\n\n      code\n"
    on_site = markdown.markdown(text, extensions=["tables", "fenced_code"])
    assert elements_of(on_site) != elements_of(MarkdownIt("commonmark").render(text))
