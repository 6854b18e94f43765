"""What MkDocs calls while it builds the site (`hooks` in `mkdocs.yml`).

The pages of `docs/` are taken as they are, those at the top of the repository beside them, and the reference is made
from the code (`site_pages/`). Nothing is written but the site itself.
"""

from pathlib import Path
from typing import Any

from mkdocs.config.defaults import MkDocsConfig
from mkdocs.exceptions import PluginError
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page
from site_pages import command_options, file_formats, outside, public_api, recipe_keys
from site_pages.written_pages import BESIDE_DOCS, with_bars_in_code, with_drawn_road, with_site_links

ROOT = Path(__file__).resolve().parents[1]
COPIES = "repository"
"""The folder of the site with the files of the repository that pages link to."""
EXTERNAL_LINKS = "external-links.txt"
"""The file of the site that lists them: they are not fetched, as a build must not depend on other people's servers."""
_links: dict[str, set[str]] = {}


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Takes pages off the navigation that are announced in `extra.pages_to_come` and not there yet."""
    _links.clear()
    to_come = set(config.extra.get("pages_to_come") or ())
    absent = {name for name in to_come if not (Path(config.docs_dir) / name).is_file()}
    config.nav = _without(config.nav, absent)
    return config


def _without(entries: Any, absent: set[str]) -> Any:
    """A part of the navigation without some pages, and without the sections that they leave empty."""
    if isinstance(entries, list):
        return [kept for entry in entries if (kept := _without(entry, absent)) not in (None, {}, [])]
    if isinstance(entries, dict):
        return {title: kept for title, inner in entries.items() if (kept := _without(inner, absent)) not in (None, [])}
    return None if entries in absent else entries


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Adds the pages that do not lie in `docs/`."""
    for name, on_site in BESIDE_DOCS.items():
        files.append(File.generated(config, on_site, content=(ROOT / name).read_text(encoding="utf-8")))
    for name, content in reference_pages().items():
        files.append(File.generated(config, f"reference/{name}.md", content=content))
    return files


def reference_pages() -> dict[str, str]:
    """The pages that are made from the code, by their names below `reference/`."""
    commands: dict[str, list[command_options.Command]] = {}
    for module in command_options.command_modules(ROOT):
        commands.setdefault(module.partition(".")[0], []).append(command_options.command_of(module))
    pages = {f"commands-{stage}": command_options.page_of(stage, found) for stage, found in commands.items()}
    pages |= {"recipe-keys": recipe_keys.page(), "file-formats": file_formats.page()}
    return pages | {f"api/{room}": public_api.page_of(room, ROOT) for room in public_api.ROOMS}


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Fits a written page to the site; what was made from the code is."""
    name = page.file.src_uri
    if name.startswith("reference/"):
        return markdown
    folder = "" if name in BESIDE_DOCS.values() else "docs"

    def copied(path: str) -> str:
        copy = f"{COPIES}/{path}.txt"
        if copy not in files.src_uris:
            files.append(File.generated(config, copy, content=(ROOT / path).read_text(encoding="utf-8")))
        return copy

    return with_site_links(with_bars_in_code(with_drawn_road(markdown)), folder, copied)


def on_post_page(output: str, page: Page, config: MkDocsConfig) -> str:
    """Notes where the page links to, and refuses one that a browser could not show without a network."""
    if found := outside.loads(output):
        raise PluginError(f"{page.file.src_uri} loads {found[0]}: the site is to be read without a network; copy it")
    for address in outside.links(output):
        _links.setdefault(address, set()).add(page.file.src_uri)
    return output


def on_post_build(config: MkDocsConfig) -> None:
    """Writes the list of links to elsewhere: an address, and the pages with it."""
    lines = [f"{address}\t{' '.join(sorted(pages))}\n" for address, pages in sorted(_links.items())]
    (Path(config.site_dir) / EXTERNAL_LINKS).write_text("".join(lines), encoding="utf-8")
