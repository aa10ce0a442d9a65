"""Pictures that are made while the site is built.

Two directives. `python`, which is what every fence of that language becomes, shows its code; on
the pages of `pages_with_pictures` it also runs it, a page in one namespace, and puts below what the
code has drawn. `drawing` shows what a script in docs/drawings draws.

A picture goes into the page itself as SVG. Its colours are those of `PALETTE`, in whose place the
page gets variables, so that one picture suits the light and the dark theme.
"""

from __future__ import annotations

import contextlib
import html
import importlib
import io
import re
from pathlib import Path
from typing import Any, ClassVar, Final

import matplotlib as mpl
from cycler import cycler
from docutils import nodes
from docutils.parsers.rst import directives
from matplotlib import pyplot as plt
from matplotlib.figure import Figure
from sphinx.application import Sphinx
from sphinx.errors import ExtensionError
from sphinx.util.docutils import SphinxDirective

PALETTE: Final = {
    "ink": "#22272e",
    "faint": "#9aa4af",
    "grid": "#e6e9ed",
    "grey": "#6b7785",
    "red": "#c8102e",
    "blue": "#1f62b5",
    "green": "#1a7f4b",
    "gold": "#b7791f",
    # Those of pyminpack.report.
    "data": "#4d555e",
    "fit": "#d55e00",
    "band": "#0072b2",
}
"""What a picture is drawn with; docs/_static/site.css has the same names for both themes."""

STYLE: Final[dict[Any, Any]] = {
    "figure.figsize": (8.0, 4.4),
    "figure.constrained_layout.use": True,
    "figure.facecolor": "none",
    "axes.facecolor": "none",
    "savefig.facecolor": "none",
    "font.size": 10.5,
    "text.color": PALETTE["ink"],
    "axes.prop_cycle": cycler(
        color=[PALETTE[name] for name in ("grey", "red", "blue", "green", "gold")]
    ),
    "axes.edgecolor": PALETTE["faint"],
    "axes.labelcolor": PALETTE["ink"],
    "axes.titlelocation": "left",
    "axes.titleweight": "bold",
    "axes.titlesize": 12,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": PALETTE["grid"],
    "xtick.color": PALETTE["ink"],
    "ytick.color": PALETTE["ink"],
    "legend.frameon": False,
    # The same picture gets the same names for its pieces every time.
    "svg.hashsalt": "pyminpack",
}


def setup(app: Sphinx) -> dict[str, Any]:
    """Add the two directives and the list of the pages whose code is run."""
    plt.switch_backend("agg")
    app.add_config_value("pages_with_pictures", [], "env")
    app.add_directive("python", PythonCode)
    app.add_directive("drawing", Drawing)
    return {"parallel_read_safe": True, "parallel_write_safe": True}


class PythonCode(SphinxDirective):
    """Show code, and on some pages run it and show what it draws."""

    has_content = True

    def run(self) -> list[nodes.Node]:
        """Return the block of code and the pictures."""
        code = "\n".join(self.content)
        block = nodes.literal_block(code, code, language="python")
        self.set_source_info(block)
        if self.env.docname not in self.config.pages_with_pictures:
            return [block]
        return [block, *self._pictures(code)]

    def _pictures(self, code: str) -> list[nodes.Node]:
        """Run the code after what the page ran before, and return what it drew."""
        namespace = self.env.temp_data.setdefault("python", {"__name__": "__main__"})
        # So that what a traceback quotes is where the reader of the log looks for it.
        program = compile("\n" * self.content_offset + code, f"{self.env.docname}.md", "exec")
        plt.close("all")
        with mpl.rc_context(STYLE), contextlib.redirect_stdout(io.StringIO()):
            try:
                exec(program, namespace)
            except Exception as error:
                raise ExtensionError(f"{self.env.docname}: {error!r} in {code}") from error
            figures = [plt.figure(number) for number in plt.get_fignums()]
            # While the style holds, which colours by number are looked up in.
            return [as_node(figure, title_of(figure)) for figure in figures]


class Drawing(SphinxDirective):
    """Show what `draw` of a script in docs/drawings returns, with a caption."""

    has_content = True
    required_arguments = 1
    option_spec: ClassVar = {"alt": directives.unchanged_required}

    def run(self) -> list[nodes.Node]:
        """Return the picture above its caption."""
        script = Path(self.env.app.confdir, "drawings", f"{self.arguments[0]}.py")
        self.env.note_dependency(str(script))
        with mpl.rc_context(STYLE):
            figure = importlib.import_module(script.stem).draw(PALETTE)
            picture = as_node(figure, self.options["alt"])
        caption = nodes.container(classes=["caption"])
        self.state.nested_parse(self.content, self.content_offset, caption)
        return [nodes.container("", picture, caption, classes=["drawing"])]


def title_of(figure: Figure) -> str:
    """Return the titles in a figure, which tell in words what it shows."""
    titles = [figure.get_suptitle(), *(axes.get_title("left") for axes in figure.axes)]
    words = "; ".join(filter(None, titles))
    if not words:
        raise ExtensionError("a picture has no title, and who cannot see it would not know of it")
    return words


def as_node(figure: Figure, alt: str) -> nodes.Node:
    """Return a picture as a piece of the page."""
    buffer = io.StringIO()
    figure.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None})
    svg = re.sub(r"^.*?(?=<svg )", "", buffer.getvalue(), flags=re.DOTALL)
    svg = re.sub(r"<metadata>.*?</metadata>|<!--.*?-->", "", svg, flags=re.DOTALL)
    # Names of groups repeat from picture to picture, and nothing refers to them.
    svg = re.sub(r'<g id="[^"]*"', "<g", svg)
    # A hundredth of a point is finer than any screen.
    svg = re.sub(r' d="[^"]*"', lambda path: re.sub(r"(\.\d\d)\d+", r"\1", path[0]), svg)
    for name, colour in PALETTE.items():
        svg = svg.replace(colour, f"var(--picture-{name})")
    label = f'role="img" aria-label="{html.escape(alt)}"'
    # Without a size of its own it takes that of the page.
    svg = re.sub(r'width="[^"]*" height="[^"]*"', label, svg, count=1)
    return nodes.raw("", f'<div class="picture">{svg}</div>', format="html")
