"""What Sphinx needs to know; `./dev docs` runs it.

The source directory is the root of the repository, so that README, CONTRIBUTING and the pages in
docs/ are one set of files whose links work here and wherever the repository is shown.
"""

from __future__ import annotations

import inspect
import sys
from pathlib import Path

import pyminpack

sys.path[:0] = [str(Path(__file__).parent / name) for name in ("_extensions", "drawings")]

project = "pyminpack"
author = "the authors of pyminpack"
version = release = pyminpack.__version__

root_doc = "docs/index"
include_patterns = [
    "CONTRIBUTING.md",
    "CHANGELOG.md",
    "README.md",
    "**/README.md",
    "docs/*.md",
]
# What is not of the repository is not even looked into.
exclude_patterns = [".*", "build", "dist"]

extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx.ext.autosummary",
    "numpydoc",
    "sphinx_copybutton",
    "sphinx_design",
    "fortran_reference",
    "pictures",
    "svg_math",
]

myst_enable_extensions = ["colon_fence", "dollarmath", "substitution"]
myst_heading_anchors = 3
# README says ```python, which the places that show repositories colour, and not ```{python}.
myst_fence_as_directive = ["python"]


def kind_of(name: str) -> str:
    """Return which of autodoc's directives describes a name of the package."""
    value = getattr(pyminpack, name)
    if not inspect.isclass(value):
        return "function"
    return "exception" if issubclass(value, BaseException) else "class"


# What is public is listed once, in the package; the page of the reference follows it.
public = [name for name in pyminpack.__all__ if not name.startswith("__")]
public.sort(key=lambda name: ("function", "class", "exception").index(kind_of(name)))
table = [".. autosummary::", "   :nosignatures:", "", *(f"   pyminpack.{name}" for name in public)]
descriptions = [f".. auto{kind_of(name)}:: pyminpack.{name}" for name in public]
myst_substitutions = {
    "public_names": "\n".join(["```{eval-rst}", *table, "", *descriptions, "```"]),
}

pages_with_pictures = ["docs/tutorial", "docs/many"]
html_math_renderer = "svg"

autosummary_generate = False
numpydoc_class_members_toctree = False
# What a class has from another is described there.
numpydoc_show_inherited_class_members = False
# The docstrings tell the types in words, as numpydoc has them.
autodoc_typehints = "none"
autodoc_member_order = "bysource"
autodoc_default_options = {"members": True}

html_theme = "pydata_sphinx_theme"
html_title = f"pyminpack {release}"
html_logo = "_static/logo.svg"
html_favicon = "_static/logo.svg"
html_context = {"default_mode": "auto"}
# These pages have no others below them.
html_sidebars = {
    page: []
    for page in (
        "docs/tutorial",
        "docs/from_scipy",
        "docs/algorithm",
        "docs/compiled",
        "docs/many",
        "docs/performance",
        "docs/reliability",
        "docs/comparison",
        "CHANGELOG",
    )
}
html_static_path = ["_static"]
html_extra_path = ["_root"]
html_css_files = ["site.css"]
html_show_copyright = False
html_copy_source = False
html_show_sourcelink = False
html_theme_options = {
    "header_links_before_dropdown": 7,
    "navbar_persistent": ["search-button"],
    "logo": {"text": "pyminpack"},
    "navigation_with_keys": False,
    "secondary_sidebar_items": ["page-toc"],
    "footer_start": [],
    "footer_end": ["theme-version"],
    "show_toc_level": 2,
}
# What programs print is not to be copied into one.
copybutton_selector = ", ".join(
    f"div.highlight-{language} pre" for language in ("python", "sh", "fortran", "c")
)
