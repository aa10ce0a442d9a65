"""MINPACK's Levenberg-Marquardt least squares, bit for bit, behind SciPy's `leastsq`."""

from typing import TYPE_CHECKING

from ._build import version as __version__
from ._config import show_config
from ._curve_fit import curve_fit
from ._errors import FitError, OptimizeWarning
from ._leastsq import leastsq

if TYPE_CHECKING:
    from ._compiled import compiled
    from ._many import leastsq_many
    from ._many.curve_fit import CurveFitMany, curve_fit_many
    from ._many.result import ManyFits
    from ._report import Report, report
else:
    # What a fit does not need is imported when it is asked for.
    _LATER = {
        "CurveFitMany": "_many.curve_fit",
        "ManyFits": "_many.result",
        "Report": "_report",
        "compiled": "_compiled",
        "curve_fit_many": "_many.curve_fit",
        "leastsq_many": "_many",
        "report": "_report",
    }

    def __getattr__(name):
        if name not in _LATER:
            raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
        from importlib import import_module

        value = getattr(import_module(f".{_LATER[name]}", __name__), name)
        globals()[name] = value
        return value

    def __dir__():
        return sorted({*globals(), *_LATER})


__all__ = [
    "CurveFitMany",
    "FitError",
    "ManyFits",
    "OptimizeWarning",
    "Report",
    "__version__",
    "compiled",
    "curve_fit",
    "curve_fit_many",
    "leastsq",
    "leastsq_many",
    "report",
    "show_config",
]
