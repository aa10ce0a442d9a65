"""What the Fortran of minpack/ says of itself: modules, routines, and the `!!` text of each name.

It reads the project's own style and no more of Fortran than that: free form, a declaration a line,
the text of a name behind it or in the lines below it, after `!!`. Of a file that is preprocessed it
reads all lines but those of the preprocessor.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

_HEADER: Final = re.compile(
    r"^(?:(?:pure|elemental) )*(?:(?P<type>\w+\(\w+\)) )?(?P<kind>subroutine|function) "
    r"(?P<name>\w+)\((?P<arguments>[^)]*)\)"
)
_DECLARATION: Final = re.compile(
    r"^(?P<type>\w+(?:\(\w+\))?)(?P<attributes>(?:, [^:]+)?) :: (?P<names>.*)$"
)


@dataclass
class Variable:
    """A dummy argument, a component of a type, or a constant.

    `shape` is what stands in parentheses behind the name, empty for a scalar; `text` its lines.
    """

    name: str
    type: str
    attributes: list[str]
    shape: str
    text: list[str]


@dataclass
class Routine:
    """A subroutine or a function, `type` being what a function returns."""

    name: str
    kind: str
    type: str
    arguments: list[str]
    text: list[str] = field(default_factory=list)
    variables: dict[str, Variable] = field(default_factory=dict)


@dataclass
class Type:
    """A derived type."""

    name: str
    text: list[str] = field(default_factory=list)
    variables: dict[str, Variable] = field(default_factory=dict)


@dataclass
class Module:
    """A file of minpack/; what is not public is left out."""

    name: str
    text: list[str] = field(default_factory=list)
    constants: dict[str, Variable] = field(default_factory=dict)
    types: dict[str, Type] = field(default_factory=dict)
    routines: dict[str, Routine] = field(default_factory=dict)


def read_module(path: Path) -> Module:
    """Read the module in a file, and of it what is public."""
    source = path.read_text(encoding="utf-8")
    (name,) = re.findall(r"^module (\w+)$", source, re.MULTILINE)
    module = Module(name)
    public: set[str] = set()
    scope: Module | Routine | Type = module
    text: list[str] = []
    for line in _statements(source):
        if line.startswith("!!"):
            text.append(line[2:].removeprefix(" "))
            continue
        # Text belongs to the statement right above it.
        text = []
        if line == f"module {module.name}":
            text = module.text
        elif header := _HEADER.match(line):
            scope = Routine(
                header["name"], header["kind"], header["type"] or "", _split(header["arguments"])
            )
            module.routines[scope.name] = scope
            text = scope.text
        elif found := re.match(r"type(?:, bind\(c\))? :: (\w+)$", line):
            scope = module.types[found[1]] = Type(found[1])
            text = scope.text
        elif re.match(r"end (subroutine|function|type)\b", line):
            scope = module
        elif line.startswith("public ::"):
            public.update(_split(line.removeprefix("public ::")))
        elif declaration := _DECLARATION.match(line):
            for variable in _variables(declaration, text):
                if "public" in variable.attributes:
                    public.add(variable.name)
                _collection(scope).setdefault(variable.name, variable)
    for names in (module.constants, module.types, module.routines):
        for name in names.keys() - public:
            del names[name]
    return module


def _collection(scope: Module | Routine | Type) -> dict[str, Variable]:
    return scope.constants if isinstance(scope, Module) else scope.variables


def _statements(source: str) -> Iterator[str]:
    """Yield statements, each in one piece, and `!!` lines; nothing else."""
    begun = ""
    for line in map(str.strip, source.splitlines()):
        if line.startswith("!!"):
            yield line
        elif line and line[0] not in "!#":
            statement, mark, text = line.partition(" !! ")
            begun += statement.removesuffix("&")
            if not statement.endswith("&"):
                yield begun
                begun = ""
            if mark:
                yield f"!! {text}"


def _split(names: str) -> list[str]:
    """Split at the commas that are not in parentheses."""
    pieces, depth = [""], 0
    for character in names:
        depth += (character == "(") - (character == ")")
        if character == "," and depth == 0:
            pieces.append("")
        else:
            pieces[-1] += character
    return [piece.strip() for piece in pieces if piece.strip()]


def _variables(declaration: re.Match[str], text: list[str]) -> Iterator[Variable]:
    attributes = _split(declaration["attributes"])
    for item in _split(declaration["names"]):
        if found := re.match(r"(\w+)(?:\((.*)\))?(?: = .*)?$", item):
            yield Variable(found[1], declaration["type"], attributes, found[2] or "", text)
