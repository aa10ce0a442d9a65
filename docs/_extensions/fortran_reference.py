"""The reference of the Fortran routines, from the texts in their sources.

The directive `fortran-modules` takes files of minpack/, as folder/name, and describes what is
public in them. A link to such a file, which shows the source where the repository is shown, leads
to the description. Labels have the names of modules, because files of two folders may have the
same name.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any, Final

from docutils import nodes
from fortran_source import Module, Routine, Type, Variable, read_module
from sphinx import addnodes
from sphinx.application import Sphinx
from sphinx.errors import ExtensionError
from sphinx.util.docutils import SphinxDirective

_TYPES: Final = {
    "real(dp)": "double precision",
    "integer(ip)": "integer",
    "integer(wide_ip)": "64-bit integer",
}
_ATTRIBUTES: Final = {
    "parameter": "constant",
    "optional": "optional",
    "value": "by value",
    "intent(in)": "in",
    "intent(out)": "out",
    "intent(inout)": "in and out",
}


def setup(app: Sphinx) -> dict[str, Any]:
    """Add the directive, and lead links to sources to it."""
    app.add_directive("fortran-modules", FortranModules)
    # Before Sphinx collects the files that links ask for.
    app.connect("doctree-read", _lead_links_here, priority=100)
    return {"parallel_read_safe": True, "parallel_write_safe": True}


def label_of(module: str, member: str = "") -> str:
    """Return the label of the description of a module, or of a member of it."""
    return f"fortran-{module}-{member}" if member else f"fortran-{module}"


def reference(label: str, docname: str, *children: nodes.Node) -> addnodes.pending_xref:
    """Return a link to what is described under a label."""
    target = {"refdomain": "std", "reftype": "ref", "reftarget": label, "refexplicit": True}
    return addnodes.pending_xref("", *children, **target, refwarn=True, refdoc=docname)


def _lead_links_here(app: Sphinx, doctree: nodes.document) -> None:
    """Replace links to sources by references to their descriptions."""
    for node in list(doctree.findall(addnodes.download_reference)):
        path, _ = app.env.relfn2path(node["reftarget"])
        if re.fullmatch(r"minpack/\w+/\w+\.[fF]90", path):
            label = label_of(read_module(Path(app.srcdir, path)).name)
            node.replace_self(reference(label, app.env.docname, *node.children))


class FortranModules(SphinxDirective):
    """Describe what is public in modules of minpack/."""

    has_content = True

    def run(self) -> list[nodes.Node]:
        """Return a section a module."""
        return [self._section(name) for name in " ".join(self.content).split()]

    def _section(self, file: str) -> nodes.section:
        (path,) = Path(self.env.srcdir, "minpack").glob(f"{file}.[fF]90")
        self.env.note_dependency(str(path))
        module = read_module(path)
        label = self._target(module.name, label_of(module.name))
        section = nodes.section("", nodes.title(module.name, module.name), ids=[label])
        section += _paragraphs(module.text)
        section += self._members(module)
        # Sphinx counts lines from there.
        for item in section.findall(nodes.definition_list_item):
            self.set_source_info(item)
        return section

    def _target(self, name: str, label: str) -> str:
        """Let links lead to a label, which is also returned."""
        domain = self.env.domains.standard_domain
        domain.note_hyperlink_target(label, self.env.docname, label, name)
        return label

    def _members(self, module: Module) -> Iterator[nodes.Node]:
        if module.constants:
            yield self._definitions(module.constants.values())
        for member in (*module.types.values(), *module.routines.values()):
            yield from self._member(module, member)

    def _member(self, module: Module, member: Routine | Type) -> Iterator[nodes.Node]:
        missing = _undescribed(member)
        if missing:
            raise ExtensionError(f"module {module.name}: no text for {missing} of {member.name}")
        identity = self._target(member.name, label_of(module.name, member.name))
        kind = member.kind if isinstance(member, Routine) else "type"
        yield addnodes.index(
            entries=[("single", f"{member.name} (Fortran {kind})", identity, "", None)]
        )
        signature = addnodes.desc_signature("", "", *_signature(member, kind), ids=[identity])
        signature["_toc_name"] = member.name
        signature["_toc_parts"] = (member.name,)
        content = addnodes.desc_content("", *_paragraphs(member.text))
        names = member.arguments if isinstance(member, Routine) else member.variables
        if names:
            content += self._definitions(member.variables[name] for name in names)
        yield addnodes.desc(
            "", signature, content, domain="fortran", objtype=kind, classes=["fortran", kind]
        )

    def _definitions(self, variables: Iterable[Variable]) -> nodes.definition_list:
        """Return what each name means, in the form that numpydoc gives to parameters."""
        items = nodes.definition_list(classes=["fortran-names"])
        for variable in variables:
            items += nodes.definition_list_item(
                "",
                nodes.term("", "", nodes.strong(variable.name, variable.name)),
                nodes.classifier("", "", *self._kind(variable)),
                nodes.definition("", *_paragraphs(variable.text)),
            )
        return items

    def _kind(self, variable: Variable) -> Iterator[nodes.Node]:
        """Return type and direction in words."""
        if found := re.fullmatch(r"procedure\((\w+)\)", variable.type):
            yield nodes.Text("procedure, ")
            label = label_of("callbacks", found[1])
            yield reference(label, self.env.docname, nodes.literal(found[1], found[1]))
            return
        words = [_TYPES.get(variable.type, variable.type)]
        if variable.shape:
            words = [f"{words[0]} array", f"shape ({variable.shape})"]
        words += [meaning for word, meaning in _ATTRIBUTES.items() if word in variable.attributes]
        yield nodes.Text(", ".join(words))


def _undescribed(member: Routine | Type) -> list[str]:
    """Return names that have no text in the source."""
    names = member.arguments if isinstance(member, Routine) else member.variables
    without = [n for n in names if n not in member.variables or not member.variables[n].text]
    return without if member.text else ["itself", *without]


def _signature(member: Routine | Type, kind: str) -> Iterator[nodes.Node]:
    kind = f"{_TYPES.get(member.type, member.type)} {kind}" if kind == "function" else kind
    yield addnodes.desc_annotation(kind, kind.strip())
    yield addnodes.desc_sig_space()
    yield addnodes.desc_name(member.name, member.name)
    if isinstance(member, Routine):
        parameters = [
            addnodes.desc_parameter("", "", addnodes.desc_sig_name(name, name))
            for name in member.arguments
        ]
        yield addnodes.desc_parameterlist("", "", *parameters)


def _paragraphs(lines: list[str]) -> Iterator[nodes.Node]:
    """Turn the lines of a text into paragraphs; what is indented is a program."""
    for block in re.split(r"\n\s*\n", "\n".join(lines)):
        if block.startswith("    "):
            code = "\n".join(line[4:] for line in block.splitlines())
            yield nodes.literal_block(code, code, language="none")
        elif block.strip():
            yield nodes.paragraph("", "", *_inline(" ".join(block.split())))


def _inline(text: str) -> Iterator[nodes.Node]:
    """Turn what is between backticks into code. Nothing else is marked: an asterisk multiplies."""
    for i, piece in enumerate(text.split("`")):
        if piece:
            yield nodes.literal(piece, piece) if i % 2 else nodes.Text(piece)
