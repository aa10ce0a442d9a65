"""MINPACK's Levenberg-Marquardt least squares, bit for bit, behind SciPy's `leastsq`."""

from ._build import version as __version__
from ._config import show_config
from ._curve_fit import curve_fit
from ._errors import FitError, OptimizeWarning
from ._leastsq import leastsq

__all__ = ["FitError", "OptimizeWarning", "__version__", "curve_fit", "leastsq", "show_config"]
