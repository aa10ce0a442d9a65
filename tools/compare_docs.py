"""Publish what `./dev compare` wrote: docs/comparison.md, its pictures, and README's table.

usage: python tools/compare_docs.py FOLDER [ROOT]
"""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

from pyminpack.compare.__main__ import REPORT
from pyminpack.compare.report import SUMMARY

README_PICTURE = "compare-digits.png"


def between(text: str, where: str) -> tuple[str, str, str]:
    """Split at the marks of the summary, which stay with what is around them."""
    first, last = SUMMARY
    if text.count(first) != 1 or text.count(last) != 1:
        raise SystemExit(f"{where} must have {first} and {last} once each")
    head, _, rest = text.partition(first)
    inner, _, tail = rest.partition(last)
    return head + first, inner, last + tail


def publish(folder: Path, root: Path) -> list[Path]:
    """Copy the report in `folder` to where the repository `root` shows it; return the paths."""
    images = root / "docs" / "images"
    pictures = sorted(folder.glob("compare-*.png"))
    if README_PICTURE not in [picture.name for picture in pictures]:
        raise SystemExit(f"{folder} has no {README_PICTURE}, which README shows")
    images.mkdir(parents=True, exist_ok=True)
    written = [Path(shutil.copy(picture, images)) for picture in pictures]
    report = (folder / REPORT).read_text(encoding="utf-8")
    page = root / "docs" / REPORT
    page.write_text(report.replace("](compare-", "](images/compare-"), encoding="utf-8")
    readme = root / "README.md"
    head, _, tail = between(readme.read_text(encoding="utf-8"), "README.md")
    _, summary, _ = between(report, REPORT)
    readme.write_text(head + summary + tail, encoding="utf-8")
    return [page, readme, *written]


def main() -> None:
    folder = Path(sys.argv[1])
    root = Path(sys.argv[2]) if len(sys.argv) > 2 else Path(__file__).resolve().parent.parent
    print(*publish(folder, root), sep="\n")


if __name__ == "__main__":
    main()
