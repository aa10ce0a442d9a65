"""Every public docstring is in numpydoc's form, and has examples that run."""

from __future__ import annotations

import doctest
import inspect
import io
import pkgutil
import re
import tomllib
from collections.abc import Iterator
from importlib import import_module
from types import ModuleType
from typing import Any

import pytest
from tooling import ROOT

import pyminpack
from pyminpack.compare import SOLVERS

numpydoc = pytest.importorskip("numpydoc.docscrape", reason="numpydoc reads docstrings")
validation = pytest.importorskip("numpydoc.validate", reason="numpydoc judges docstrings")

SETTINGS = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]


def public_modules() -> Iterator[ModuleType]:
    yield pyminpack
    for found in pkgutil.walk_packages(pyminpack.__path__, "pyminpack."):
        if not any(part.startswith("_") for part in found.name.split(".")):
            yield import_module(found.name)


def is_documented(thing: Any) -> bool:
    return inspect.isroutine(thing) or isinstance(thing, type | property)


def public_names() -> Iterator[str]:
    """Yield the full names of functions and classes, and of what classes have of their own."""
    for module in public_modules():
        for name in getattr(module, "__all__", ()):
            value = getattr(module, name)
            if not is_documented(value):
                continue
            yield f"{module.__name__}.{name}"
            for own, member in vars(value).items() if isinstance(value, type) else ():
                if not own.startswith("_") and is_documented(member):
                    yield f"{module.__name__}.{name}.{own}"


def find(name: str) -> Any:
    return pkgutil.resolve_name(name)


def examples_of(name: str) -> list[doctest.Example]:
    return doctest.DocTestParser().get_examples(inspect.getdoc(find(name)) or "")


def attributes_of(name: str) -> set[str]:
    """Return the names under the heading Attributes of a docstring."""
    sections = numpydoc.NumpyDocString(inspect.getdoc(find(name)) or "")
    return {each for entry in sections["Attributes"] for each in entry.name.split(", ")}


NAMES = sorted(public_names())
each_name = pytest.mark.parametrize("name", NAMES)


def test_what_is_looked_at() -> None:
    assert {"pyminpack.leastsq", "pyminpack.show_config", "pyminpack.typing.InfoDict"} <= set(NAMES)


@each_name
def test_it_has_examples(name: str) -> None:
    if isinstance(find(name), property):
        owner, _, attribute = name.rpartition(".")
        assert any(f".{attribute}" in example.source for example in examples_of(owner))
    else:
        assert "\nExamples\n--------\n" in inspect.getdoc(find(name))
        assert examples_of(name)


@pytest.mark.parametrize("name", [*NAMES, *(module.__name__ for module in public_modules())])
def test_its_examples_run(name: str) -> None:
    report = io.StringIO()
    text = inspect.getdoc(find(name)) or ""
    test = doctest.DocTestParser().get_doctest(text, {}, name, None, 0)
    solvers = list(SOLVERS)
    outcome = doctest.DocTestRunner(verbose=False).run(test, out=report.write)
    # An example adds one to them.
    SOLVERS[:] = solvers
    assert outcome.failed == 0, report.getvalue()


@each_name
def test_its_source_is_no_other(name: str) -> None:
    try:
        source = inspect.getsource(find(name))
    except (OSError, TypeError):
        return
    assert re.search(rf"\b{name.rpartition('.')[2]}\b", source)


@each_name
def test_numpydoc_finds_no_fault(name: str) -> None:
    checks = validation.get_validation_checks(set(SETTINGS["numpydoc_validation"]["checks"]))
    faults = [fault for fault in validation.validate(name)["errors"] if fault[0] in checks]
    if isinstance(find(name), type) and (attributes := attributes_of(name)):
        # What makes an object is then described as what it has.
        assert set(inspect.signature(find(name)).parameters) <= attributes
        faults = [fault for fault in faults if fault[0] != "PR01"]
    if isinstance(find(name), property):  # the class has the examples
        faults = [fault for fault in faults if fault[0] != "EX01"]
    assert not faults
