"""Types of what `leastsq` returns, for annotations."""

from typing import NotRequired, TypedDict

import numpy as np
from numpy.typing import NDArray

__all__ = ["InfoDict"]


class InfoDict(TypedDict):
    """
    The type of `infodict`, which `leastsq` returns with `full_output`.

    Its keys are ``fvec``, ``nfev``, ``njev`` (only with `Dfun`), ``fjac``, ``ipvt`` and ``qtf``;
    `leastsq` tells what they hold.

    Examples
    --------
    >>> from pyminpack import leastsq
    >>> from pyminpack.typing import InfoDict
    >>> def residual_norm(infodict: InfoDict) -> float:
    ...     return float((infodict["fvec"] ** 2).sum() ** 0.5)
    >>> x, cov_x, infodict, mesg, ier = leastsq(lambda x: [x[0] - 1, 3], 0, full_output=True)
    >>> residual_norm(infodict)
    3.0
    """

    fvec: NDArray[np.float64]
    nfev: int
    njev: NotRequired[int]
    fjac: NDArray[np.float64]
    ipvt: NDArray[np.int32]
    qtf: NDArray[np.float64]
