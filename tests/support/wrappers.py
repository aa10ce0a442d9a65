"""Things that a user's function may return: numbers in wrappings, and objects that raise."""

from __future__ import annotations

from typing import Any

import numpy as np


class Subclass(np.ndarray[Any, Any]):
    pass


class Sequence:
    """What has a length and items and is no list."""

    def __init__(self, items: Any) -> None:
        self.items = items

    def __len__(self) -> int:
        return len(self.items)

    def __getitem__(self, i: int) -> Any:
        return self.items[i]


class ArrayLike:
    def __init__(self, values: Any) -> None:
        self.values = values

    def __array__(self, dtype: Any = None, copy: Any = None) -> Any:
        return np.array(self.values, dtype=dtype)


class Raising:
    """Raises one and the same exception wherever it is asked anything."""

    def __init__(self, trouble: BaseException) -> None:
        self.trouble = trouble

    def fail(self, *args: Any, **kwargs: Any) -> Any:
        raise self.trouble


def raising_in(trouble: BaseException, *methods: str) -> Any:
    return type("RaisingIn", (Raising,), dict.fromkeys(methods, Raising.fail))(trouble)
