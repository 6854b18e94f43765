from pathlib import Path

import pytest
from site_pages.written_pages import with_bars_in_code, with_drawn_road, with_site_links


@pytest.mark.parametrize(
    ("folder", "link", "on_site"),
    [
        ("", "docs/slurm.md", "slurm.md"),
        ("", "docs/sources.md#parsed-once", "sources.md#parsed-once"),
        ("", "CONTRIBUTING.md", "contributing.md"),
        ("", "LICENSE", "copy/LICENSE"),
        ("docs", "slurm.md", "slurm.md"),
        ("docs", "../README.md#two-commands", "index.md#two-commands"),
        ("docs", "../cluster/slurm/requeue.sh", "copy/cluster/slurm/requeue.sh"),
        ("docs", "https://example.org/docs/x.md", "https://example.org/docs/x.md"),
        ("docs", "#here", "#here"),
    ],
)
def test_links(folder: str, link: str, on_site: str) -> None:
    assert with_site_links(f"see [a]({link}), `f](docs/x`", folder, lambda path: f"copy/{path}").startswith(
        f"see [a]({on_site}),"
    )


def test_a_flow_chart_becomes_a_table() -> None:
    text = 'a\n\n```mermaid\nflowchart LR\n    a["raw,<br/>dumps"] -- "beam<br/>run" --> b["shards"] --> c\n```\n\nb'
    rows = ["| raw, dumps | `beam run` → | shards |", "| shards | → | c |"]
    assert [line for line in with_drawn_road(text).splitlines() if line.startswith("| ")][2:] == rows


def test_a_flow_chart_without_arrows_is_refused() -> None:
    with pytest.raises(ValueError, match="no arrow that can be read"):
        with_drawn_road("```mermaid\npie\n```\n")


def test_the_road_of_the_readme_is_whole(repository: Path) -> None:
    text = (repository / "README.md").read_text(encoding="utf-8")
    chart = text[text.index("```mermaid") : text.index("```\n", text.index("```mermaid") + 3)]
    drawn = with_drawn_road(text)
    assert "```mermaid" not in drawn
    assert drawn.count("→ |") == chart.count("-->")


def test_bars_in_the_code_of_a_table() -> None:
    text = "| `a\\|b` | c\\|d |\n\n`e\\|f`\n"
    assert with_bars_in_code(text) == "| `a|b` | c\\|d |\n\n`e\\|f`\n"
