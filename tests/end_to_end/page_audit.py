"""Opens pages in a real headless Chromium and says what is wrong with them, in sentences.

Playwright speaks the browser's protocol; the browser is Debian's or any other of that family on PATH. No page may load
anything, run a script or complain on the console.
"""

import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Literal

WIDTHS = (360, 768, 1440)
SCHEMES: tuple[Literal["light", "dark"], ...] = ("light", "dark")
LEAST_CONTRAST = 4.5
"""Of text against what is behind it: WCAG 2.2, success criterion 1.4.3."""
_QUESTIONS = Path(__file__).with_suffix(".js").read_text(encoding="utf-8")
_NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


def browser_path() -> str | None:
    """The program of a browser of Chromium's family, if one is installed."""
    return next((path for name in _NAMES if (path := shutil.which(name))), None)


@contextmanager
def browser(path: str) -> Iterator[Any]:
    """A headless browser; ended at the end."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as play:
        # No sandbox: where tests run as root there is none. The pages are our own files.
        started = play.chromium.launch(executable_path=path, args=["--no-sandbox", "--disable-dev-shm-usage"])
        try:
            yield started
        finally:
            started.close()


def faults(
    started: Any,
    file: Path,
    pictures: Path | None = None,
    widths: Sequence[int] = WIDTHS,
    schemes: Sequence[Literal["light", "dark"]] = SCHEMES,
) -> list[str]:
    """What is wrong with a page, each with its width or scheme; `pictures` is the folder for NAME-WIDTH-SCHEME.png."""
    found: list[str] = []
    page = started.new_page()
    page.on("console", lambda message: found.append(f"console: {message.text}"))
    page.on("pageerror", lambda error: found.append(f"error: {error}"))
    page.on("request", lambda request: request.url == file.as_uri() or found.append(f"it loads {request.url}"))
    page.goto(file.as_uri())
    found += _ask(page, "structure()")
    for scheme in schemes:
        page.emulate_media(color_scheme=scheme)
        # What is folded away counts as well.
        page.evaluate("() => document.querySelectorAll('details').forEach(one => { one.name = ''; one.open = true; })")
        found += [f"{scheme}: {fault}" for fault in _ask(page, f"contrast({LEAST_CONTRAST})")]
        for width in widths:
            page.set_viewport_size({"width": width, "height": 900})
            found += [f"{width} px: {fault}" for fault in _ask(page, "overflow()")]
    found += _faults_of_focus(page)
    if pictures is not None:
        page.reload()
        for scheme in schemes:
            page.emulate_media(color_scheme=scheme)
            for width in widths:
                page.set_viewport_size({"width": width, "height": 900})
                page.screenshot(path=pictures / f"{file.stem}-{width}-{scheme}.png", full_page=True)
    page.close()
    return list(dict.fromkeys(found))


def _ask(page: Any, question: str) -> Any:
    return page.evaluate(f"() => ({_QUESTIONS.strip()}).{question}")


def _faults_of_focus(page: Any, most: int = 12) -> list[str]:
    page.reload()
    found = []
    for _ in range(most):
        page.keyboard.press("Tab")
        said = _ask(page, "focus()")
        if said is None:
            break
        found.append(said)
    return [said for said in found if said] if found else ["the Tab key reaches nothing"]
