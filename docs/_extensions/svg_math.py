"""Formulas as drawings in the page.

They look the same everywhere, take the colour of the text around them, and need neither a script
nor a font from elsewhere, so that a built site can be read without a network.
"""

from __future__ import annotations

import html
from typing import Any, Final
from xml.etree import ElementTree

import ziamath
from docutils import nodes
from sphinx.application import Sphinx
from sphinx.writers.html5 import HTML5Translator

# In pixels of the drawing; the page scales it by its own size of text.
_SIZE: Final = 20.0

# The letters of STIX Two are smaller than those of the theme's fonts.
_ENLARGED: Final = 1.08 / _SIZE


def setup(app: Sphinx) -> dict[str, Any]:
    """Offer the renderer under the name "svg"."""
    ziamath.config.svg2 = False
    app.add_html_math_renderer("svg", (_visit_inline, None), (_visit_block, None))
    return {"parallel_read_safe": True, "parallel_write_safe": True}


def drawing(tex: str, *, inline: bool) -> str:
    """Return a formula in TeX's language as an SVG element with the formula as its label."""
    formula = ziamath.Latex(tex, size=_SIZE, inline=inline, color="currentColor")
    svg = formula.svgxml()
    for name in ("width", "height"):
        svg.set(name, f"{float(svg.get(name, 0)) * _ENLARGED:.3f}em")
    svg.set("style", f"vertical-align: {formula.getyofst() * _ENLARGED:.3f}em")
    svg.set("role", "img")
    svg.set("aria-label", tex)
    return ElementTree.tostring(svg, encoding="unicode")


def _visit_inline(translator: HTML5Translator, node: nodes.math) -> None:
    svg = drawing(node.astext(), inline=True)
    translator.body.append(f'<span class="formula">{svg}</span>')
    raise nodes.SkipNode


def _visit_block(translator: HTML5Translator, node: nodes.math_block) -> None:
    label = f' id="{html.escape(node["ids"][0])}"' if node["ids"] else ""
    svg = drawing(node.astext(), inline=False)
    translator.body.append(f'<div class="formula"{label}>{svg}</div>\n')
    raise nodes.SkipNode
