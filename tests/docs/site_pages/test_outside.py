import pytest
from site_pages.outside import links, loads


@pytest.mark.parametrize(
    "element",
    [
        '<script src="https://x.org/a.js"></script>',
        '<link rel="stylesheet" href="//x.org/a.css">',
        '<img src="http://x.org/a.png">',
        '<video poster="https://x.org/a.png">',
        '<img srcset="https://x.org/a.png 2x">',
        '<object data="https://x.org/a">',
    ],
)
def test_what_is_loaded(element: str) -> None:
    page = f'<html><a href="https://y.org">y</a>{element}</html>'
    assert len(loads(page)) == 1
    assert "x.org" in loads(page)[0]
    assert links(page) == ["https://y.org"]


def test_what_is_the_sites_own_is_neither() -> None:
    page = '<link href="assets/a.css"><script src="../a.js"></script><a href="page.html#a">b</a><a href="#c">d</a>'
    assert loads(page) == links(page) == []
