"""What this installation is made of."""

from __future__ import annotations

import sys
from typing import Literal, overload

import numpy as np

from . import _core
from ._build import config, version

_INSTRUCTION_SETS = {0: "baseline", 1: "AVX2 and FMA", 2: "AVX-512"}


@overload
def show_config(mode: Literal["stdout"] = ...) -> None: ...
@overload
def show_config(mode: Literal["dict"]) -> dict[str, str]: ...


def show_config(mode: Literal["stdout", "dict"] = "stdout") -> dict[str, str] | None:
    """
    Tell how this pyminpack was built and what it runs with.

    Parameters
    ----------
    mode : {'stdout', 'dict'}, optional
        'stdout' prints one line an item and returns None; 'dict' returns the items.

    Returns
    -------
    dict of str to str, or None
        Versions of pyminpack, Python and NumPy; which MINPACK is inside ('vendored', the one in
        the source tree, or 'system', an installed library); compilers and their flags; the
        instruction set that the blocked factorisation uses on this machine.

    Raises
    ------
    ValueError
        If `mode` is neither.

    Examples
    --------
    >>> import pyminpack
    >>> pyminpack.show_config(mode="dict")["MINPACK"] in ("vendored", "system")
    True
    """
    if mode not in ("stdout", "dict"):
        raise ValueError(f"mode must be 'stdout' or 'dict', not {mode!r}")
    items = {
        "pyminpack": version,
        "Python": ".".join(map(str, sys.version_info[:3])),
        "NumPy": np.__version__,
        **config,
        "blocked factorisation": _INSTRUCTION_SETS[_core.INSTRUCTION_SET],
    }
    if mode == "dict":
        return items
    width = max(map(len, items))
    for name, value in items.items():
        print(f"{name:<{width}}  {value}")
    return None
