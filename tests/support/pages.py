"""The pages of the documentation as the tests read them: code blocks, links, commands."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from tooling import ROOT

FOLDERS: Final = ("minpack", "src", "tests", "benchmarks", "examples", "tools")
PAGES: Final = sorted(
    path.relative_to(ROOT).as_posix()
    for path in (
        *(*ROOT.glob("*.md"), *ROOT.glob("docs/*.md")),
        *(readme for name in FOLDERS for readme in (ROOT / name).rglob("README.md")),
    )
)

_FENCE: Final = re.compile(r"^(`{3,}|:{3,})([^\n`]*)\n(.*?)^\1[ ]*$", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True)
class Block:
    """A fenced block.

    `language` is what stands behind the fence, and `line` where `code` begins. `shown` is the text
    block right below it, which shows what it prints; None if there is none.
    """

    language: str
    code: str
    line: int
    shown: str | None = None


def text_of(page: str) -> str:
    """Return the source of a page."""
    return (ROOT / page).read_text(encoding="utf-8")


def blocks_of(page: str) -> list[Block]:
    """Return the blocks of a page in order, text that shows an output with the block above it."""
    text = text_of(page)
    blocks: list[Block] = []
    end = 0
    for found in _FENCE.finditer(text):
        _, language, code = found.groups()
        line = text.count("\n", 0, found.start(3)) + 1
        follows = bool(blocks) and not text[end : found.start()].strip()
        if language == "text" and follows and blocks[-1].shown is None:
            above = blocks.pop()
            blocks.append(Block(above.language, above.code, above.line, shown=code))
        else:
            blocks.append(Block(language.strip(), code, line))
        end = found.end()
    return blocks


def prose_of(page: str) -> str:
    """Return a page without programs and what they print."""
    return _FENCE.sub(lambda b: b[0] if b[2].startswith("{") else "", text_of(page))


def links_of(page: str) -> list[str]:
    """Return the targets of the links and pictures of a page that lead nowhere outside."""
    targets = re.findall(r"\]\(([^)\s]+)\)", prose_of(page))
    return [target for target in targets if not re.match(r"\w+:", target)]


def anchors_of(page: str) -> set[str]:
    """Return what a link may name behind the `#` of a page: its headings, as GitHub writes them."""
    headings = re.findall(r"^#+ (.*)$", prose_of(page), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}
