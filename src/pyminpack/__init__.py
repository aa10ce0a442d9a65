"""MINPACK's Levenberg-Marquardt least squares, bit for bit, behind SciPy's `leastsq`."""

from ._build import version as __version__
from ._config import show_config
from ._leastsq import leastsq

__all__ = ["__version__", "leastsq", "show_config"]
