"""The documentation site: it builds without a warning, is complete, and needs no other server."""

from __future__ import annotations

import importlib.util
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from html.parser import HTMLParser
from pathlib import Path

import pytest
from pages import PAGES, ROOT, blocks_of

import pyminpack

MISSING = [
    name
    for name in (*("sphinx", "myst_parser", "pydata_sphinx_theme", "numpydoc"), "ziamath")
    if importlib.util.find_spec(name) is None
]
pytestmark = pytest.mark.skipif(
    bool(MISSING), reason=f"./dev docs installs what is missing: {MISSING}"
)

FORTRAN_PAGES = ("fortran", "fortran_blocked")

# What a browser loads by itself.
LOADED = {"script": "src", "img": "src", "iframe": "src", "source": "src", "link": "href"}


@dataclass
class Html(HTMLParser):
    """One page of the site: the names in it, its links, what it loads, its words."""

    names: set[str] = field(default_factory=set)
    links: list[str] = field(default_factory=list)
    loaded: list[str] = field(default_factory=list)
    pictures: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        super().__init__()
        self._in_picture = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        found = dict(attrs)
        self.names.update(filter(None, (found.get("id"), found.get("name"))))
        if tag == "a" and (target := found.get("href")):
            self.links.append(target)
        # The next page, the search and the like are links, too, but nobody loads them.
        is_link = tag == "link" and found.get("rel") in ("next", "prev", "search", "index")
        if (target := found.get(LOADED.get(tag, ""))) and not is_link:
            self.loaded.append(target)
        if self._in_picture and tag == "svg":
            self.pictures.append(found.get("aria-label") or "")
        self._in_picture = tag == "div" and found.get("class") == "picture"


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the site as `./dev docs` does; return the folder."""
    folder = tmp_path_factory.mktemp("site")
    done = subprocess.run(
        [
            *(sys.executable, "-m", "sphinx", "-b", "html", "-c", "docs"),
            *("--nitpicky", "--fail-on-warning", "--keep-going"),
            *("-d", str(folder / "doctrees"), ".", str(folder / "html")),
        ],
        cwd=ROOT,
        # A colour or a plugin of the one who runs the tests is none of the site.
        env={**os.environ, "NO_COLOR": "1", "PYTHONWARNINGS": "default"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert "WARNING" not in done.stderr
    return folder / "html"


@pytest.fixture(scope="module")
def pages(site: Path) -> dict[str, Html]:
    """Parse every page of the site."""
    parsed = {}
    for path in sorted(site.rglob("*.html")):
        html = parsed[path.relative_to(site).as_posix()] = Html()
        html.feed(path.read_text(encoding="utf-8"))
    return parsed


def test_dev_docs_builds_it_as_strictly() -> None:
    command = (ROOT / "dev").read_text()
    for option in ("-m sphinx -b html -c docs", "--nitpicky", "--fail-on-warning", "--keep-going"):
        assert option in command


def test_every_page_is_in_it(pages: dict[str, Html]) -> None:
    assert {page.replace(".md", ".html") for page in PAGES} <= pages.keys()


def test_it_begins_at_index_html(site: Path) -> None:
    (target,) = re.findall(r"url=([\w./]+)", (site / "index.html").read_text())
    assert (site / target).exists()


def test_links_within_it_lead_somewhere(site: Path, pages: dict[str, Html]) -> None:
    checked = 0
    for page, html in pages.items():
        for link in html.links:
            if re.match(r"\w+:", link):
                continue
            path, _, name = link.partition("#")
            target = (site / page).parent / path if path else site / page
            assert target.exists(), f"{page}: {link}"
            if name and target.suffix == ".html":
                aim = target.resolve().relative_to(site.resolve()).as_posix()
                assert name in pages[aim].names, f"{page}: {link}"
            checked += 1
    assert checked > 500


def test_nothing_is_loaded_from_another_server(site: Path, pages: dict[str, Html]) -> None:
    loaded = [target for html in pages.values() for target in html.loaded]
    assert len(loaded) > 100
    for target in loaded:
        assert not re.match(r"(\w+:)?//", target), target
    for sheet in site.rglob("*.css"):
        for target in re.findall(r"(?:url\(|@import)\s*[\"']?([^\"')\s]+)", sheet.read_text()):
            assert not re.match(r"(https?:)?//", target), f"{sheet}: {target}"


def test_what_python_offers_is_described(pages: dict[str, Html]) -> None:
    public = set(pyminpack.__all__) - {"__version__"}
    assert {f"pyminpack.{name}" for name in public} <= pages["docs/reference.html"].names


def module_in(source: Path) -> str:
    """Return the name of the module in a file."""
    (name,) = re.findall(r"^module (\w+)$", source.read_text(), re.M)
    return str(name)


def public_routines() -> Iterator[tuple[str, str, list[str]]]:
    """Yield module, name and arguments of every public routine in minpack/."""
    for source in sorted((ROOT / "minpack").rglob("*.[fF]90")):
        text = re.sub(r"&\s*\n\s*", "", source.read_text())
        public = set(re.findall(r"\w+", " ".join(re.findall(r"^public :: (.*)$", text, re.M))))
        header = r"^[a-z_() ]*(?:subroutine|function) (\w+)\(([^)]*)\)"
        for name, arguments in re.findall(header, text, re.M):
            if name in public:
                yield module_in(source), name, re.findall(r"\w+", arguments)


def test_every_fortran_routine_and_argument_is_described(site: Path) -> None:
    text = "".join((site / "docs" / f"{page}.html").read_text() for page in FORTRAN_PAGES)
    one = r'<dt class="sig[^"]*" id="fortran-([\w-]+)">(.*?)(?=<dt class="sig|</section>)'
    described = dict(re.findall(one, text, re.S))
    routines = list(public_routines())
    assert len(routines) > 80
    assert {"lmder", "lmdif", "lmpar", "qrfac", "qrsolv", "covar", "chkder", "enorm"} <= {
        module for module, _, _ in routines
    }
    for source in (ROOT / "minpack").rglob("*.[fF]90"):
        assert f'id="fortran-{module_in(source)}"' in text
        purpose = re.match(r"module \w+\n!! ([\w -]+)", source.read_text())
        assert purpose
        assert purpose[1] in text
    for module, name, arguments in routines:
        description = described[f"{module}-{name}"]
        for argument in arguments:
            meaning = rf"<strong>{argument}</strong>.*?<dd>\s*<p>(.+?)</p>"
            assert re.search(meaning, description, re.S), f"{module}, {name}: {argument}"


@pytest.mark.parametrize(("page", "count"), [("tutorial", 5), ("many", 1)])
def test_the_pages_that_draw_have_their_pictures(
    pages: dict[str, Html], page: str, count: int
) -> None:
    drawing = [b for b in blocks_of(f"docs/{page}.md") if "plt.subplots" in b.code]
    pictures = pages[f"docs/{page}.html"].pictures
    assert len(pictures) == len(drawing) >= count
    assert all(pictures)


def test_drawings_have_words_for_those_who_cannot_see_them(pages: dict[str, Html]) -> None:
    for page in ("algorithm", "developer"):
        pictures = pages[f"docs/{page}.html"].pictures
        assert len(pictures) == 2
        assert all(len(words.split()) > 10 for words in pictures)


def test_pictures_suit_both_themes(site: Path) -> None:
    sheet = (site / "_static" / "site.css").read_text()
    themes = dict(re.findall(r'html\[data-theme="(\w+)"\] \{(.*?)\}', sheet, re.S))
    assert themes.keys() == {"light", "dark"}
    for page in ("tutorial", "many", "algorithm", "developer"):
        text = (site / f"docs/{page}.html").read_text()
        pictures = "".join(re.findall(r'<div class="picture">.*?</svg>', text, re.S))
        assert not re.search(r"#[0-9a-f]{6}\b", pictures)
        used = set(re.findall(r"var\((--picture-\w+)\)", pictures))
        # A map takes its colours from a scale, and from the theme those of words and frames.
        assert len(used) >= (2 if page == "many" else 4)
        for colours in themes.values():
            assert used <= set(re.findall(r"(--picture-\w+):", colours))


def test_formulas_are_drawn(site: Path) -> None:
    text = (site / "docs" / "algorithm.html").read_text()
    assert text.count('<div class="formula"') >= 8
    assert text.count('<span class="formula"') >= 30
    assert "$" not in re.sub(r"<pre>.*?</pre>", "", text, flags=re.S)
