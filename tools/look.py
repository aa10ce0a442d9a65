"""Look at the built site in a browser: take a picture of every page, and report what is wrong.

Wrong is what a script complains of, what is not there or comes from another server, and a page that
is wider than the window. `./dev look` runs it.
"""

from __future__ import annotations

import argparse
import functools
import re
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Final

from playwright.sync_api import Browser, Page, sync_playwright

WINDOWS: Final[dict[str, dict[str, Any]]] = {
    "desktop": {"viewport": {"width": 1400, "height": 900}, "color_scheme": "light"},
    "dark": {"viewport": {"width": 1400, "height": 900}, "color_scheme": "dark"},
    "phone": {
        "viewport": {"width": 390, "height": 844},
        "color_scheme": "light",
        "is_mobile": True,
    },
}

# Nothing that a browser would do on its own account.
QUIET: Final = [
    *("--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync"),
    *("--disable-background-networking", "--disable-component-update"),
]

# Long programs and tables scroll within the page; the page itself must not.
IS_TOO_WIDE: Final = "document.documentElement.scrollWidth > window.innerWidth"


def main() -> int:
    """Look at all pages in all windows; return the number of faults, at most 1."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("site", type=Path, help="folder of the built site")
    parser.add_argument("pictures", type=Path, help="folder for the pictures")
    parser.add_argument("--browser", required=True, help="path of a Chromium")
    options = parser.parse_args()
    faults: set[str] = set()
    with served(options.site) as address, sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=options.browser, args=QUIET)
        for window in WINDOWS:
            look(browser, window, options.site, address, options.pictures, faults)
        browser.close()
    print("\n".join(sorted(faults)) or f"nothing is wrong; pictures are in {options.pictures}")
    return min(len(faults), 1)


@contextmanager
def served(site: Path) -> Iterator[str]:
    """Serve the site from this machine, and yield its address."""

    class Silent(SimpleHTTPRequestHandler):
        def log_message(self, *args: Any) -> None:
            """Say nothing: the browser reports what is missing."""

    handler = functools.partial(Silent, directory=str(site))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()


def look(
    browser: Browser, window: str, site: Path, address: str, pictures: Path, faults: set[str]
) -> None:
    """Open every page in a window of this kind, picture it, and add what is wrong to `faults`."""
    context = browser.new_context(**WINDOWS[window])
    names = [path.relative_to(site).as_posix() for path in sorted(site.rglob("*.html"))]
    # What the theme keeps in _static is no page, and the one at the root only leads on.
    for name in (name for name in names if not re.match(r"_static/|index\.html", name)):
        page = context.new_page()
        listen(page, f"{name} ({window})", address, faults)
        page.goto(address + name, wait_until="load")
        if page.evaluate(IS_TOO_WIDE):
            faults.add(f"{name} ({window}) is wider than the window")
        picture = pictures / window / f"{name.removesuffix('.html').replace('/', '-')}.png"
        page.screenshot(path=picture, full_page=True)
        page.close()
    context.close()


def listen(page: Page, name: str, address: str, faults: set[str]) -> None:
    """Add to `faults` what goes wrong while a page is loaded."""
    page.on("console", lambda said: said.type == "error" and faults.add(f"{name}: {said.text}"))
    page.on("pageerror", lambda error: faults.add(f"{name}: {error}"))
    page.on(
        "request",
        lambda asked: (
            asked.url.startswith((address, "data:"))
            or faults.add(f"{name} asks another server for {asked.url}")
        ),
    )
    page.on(
        "response",
        lambda got: got.status >= 400 and faults.add(f"{name} misses {got.url}"),
    )


if __name__ == "__main__":
    raise SystemExit(main())
