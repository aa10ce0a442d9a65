"""`report`: what a fit found, from the tuple that `leastsq` or `curve_fit` returned."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from .. import _core
from .numbers import evaluate, names_of, take_apart

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    import numpy as np
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure, SubFigure
    from numpy.typing import ArrayLike, NDArray

    _Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True, eq=False, repr=False)
class Report:
    """
    What a fit of N parameters to M data found; `report` makes it, `str` prints it.

    Attributes
    ----------
    names : tuple of str
        What the parameters are called.
    parameters : ndarray of float64, shape (N,)
        The parameters.
    standard_errors : ndarray of float64, shape (N,)
        Their standard errors, NaN where not known.
    covariance, correlation : ndarray of float64, shape (N, N)
        Of the parameters, NaN where not known.
    errors_from : str
        In words, what the standard errors are made from, or why they are not known.
    chi_square : float or None
        The sum of the squared residuals, as weighted in the fit. None, here and below: not known.
    reduced_chi_square : float or None
        `chi_square` by degree of freedom. None also where there are no degrees of freedom.
    degrees_of_freedom : int or None
        M - N.
    iterations : int or None
        Iterations of MINPACK, each of which takes one Jacobian. Known where a function gave it.
    iterations_at_most : int or None
        The same where differences gave the Jacobian: more iterations would take more than `nfev`
        calls.
    nfev, njev : int or None
        Calls of the function, and of the one that gave the Jacobian.
    ier : int or None
        Why the fit ended, as a number.
    message : str or None
        Why the fit ended, in words.
    absolute_sigma : bool
        What `report` was told.
    threshold : float
        `str` lists the correlations that are larger in magnitude.

    Examples
    --------
    >>> import numpy as np
    >>> from pyminpack import curve_fit, report
    >>> t, y = np.arange(5.0), np.array([1.1, 2.9, 5.2, 7.1, 8.8])
    >>> def line(t, slope, start):
    ...     return slope * t + start
    >>> found = report(curve_fit(line, t, y, full_output=True), names=line)
    >>> found.names, found.standard_errors.round(3)
    (('slope', 'start'), array([0.055, 0.136]))
    """

    names: tuple[str, ...]
    parameters: _Array
    standard_errors: _Array
    covariance: _Array
    correlation: _Array
    errors_from: str
    chi_square: float | None
    reduced_chi_square: float | None
    degrees_of_freedom: int | None
    iterations: int | None
    iterations_at_most: int | None
    nfev: int | None
    njev: int | None
    ier: int | None
    message: str | None
    absolute_sigma: bool
    threshold: float

    def __str__(self) -> str:
        from .text import text

        return text(self)

    def __repr__(self) -> str:
        from .text import summary

        return f"<Report: {summary(self)}>"

    def plot(
        self,
        f: Callable[..., Any],
        xdata: Any,
        ydata: ArrayLike,
        sigma: ArrayLike | None = None,
        *,
        level: float = 0.95,
        axes: Iterable[Axes] | None = None,
        xlabel: str | None = None,
        ylabel: str = "y",
    ) -> Figure | SubFigure:
        """
        Draw data, fit, confidence band and, beneath, the residuals.

        Parameters
        ----------
        f : callable
            The model as `curve_fit` takes it: ``f(xdata, *parameters)`` returns M values. It is
            called with other abscissae too, to draw a smooth curve.
        xdata : array_like or object
            Where the data were taken, as `curve_fit` takes it. M real numbers are the abscissa;
            with anything else the picture is over the index of the data.
        ydata : array_like, shape (M,)
            The data.
        sigma : array_like, optional
            Their standard deviations, for error bars: M numbers, one for all, or the covariance,
            shape (M, M).
        level : float, optional
            Probability with which the band at any one abscissa covers the model's true value.
        axes : pair of matplotlib Axes, optional
            Where to draw: data and fit in the first, the residuals in the second. None: in a
            figure of its own, of which pyplot knows nothing. For a window that pyplot shows, take
            those of ``pyplot.subplots(2, 1, sharex=True)``.
        xlabel, ylabel : str, optional
            What the data are, with their units. `xlabel` is "x" unless given, or "index".

        Returns
        -------
        matplotlib.figure.Figure
            ``savefig`` writes it to a file. Nothing is shown.

        Raises
        ------
        ImportError
            If matplotlib is not installed.
        TypeError
            If `f` is not callable, or something else than real numbers is given or returned.
        ValueError
            If shapes do not fit together, or `level` is not between 0 and 1.

        Notes
        -----
        The band is ``f`` plus and minus ``q * sqrt(g @ covariance @ g)``, with the derivatives
        ``g`` of ``f`` with respect to the parameters (the delta method: linear in their errors).
        ``q`` is the quantile of Student's t distribution with `degrees_of_freedom`; of the normal
        distribution with `absolute_sigma`, which says that the errors of the data are known. There
        is no band where the covariance is not known.

        Examples
        --------
        >>> import numpy as np
        >>> from pyminpack import curve_fit, report
        >>> def line(x, height, slope):
        ...     return height + slope * x
        >>> x = np.array([0.0, 1.0, 2.0, 3.0])
        >>> y = np.array([1.1, 2.9, 5.2, 6.8])
        >>> found = report(curve_fit(line, x, y, full_output=True), names=line)
        >>> figure = found.plot(line, x, y, xlabel="time (s)", ylabel="height (m)")
        >>> [each.get_ylabel() for each in figure.axes]
        ['height (m)', 'residual']
        """
        from .picture import draw

        return draw(self, f, xdata, ydata, sigma, level, axes, xlabel, ylabel)


def report(
    fit: tuple[Any, ...],
    *,
    names: Iterable[str] | Callable[..., Any] | None = None,
    absolute_sigma: bool = False,
    threshold: float = 0.1,
) -> Report:
    """
    Report on a fit, from the tuple that `leastsq` or `curve_fit` returned.

    Parameters
    ----------
    fit : tuple
        What ``leastsq`` or ``curve_fit`` returned, pyminpack's or SciPy's. With ``full_output``
        it has all; of ``(x, ier)`` and ``(popt, pcov)`` the report tells what is in them.
    names : iterable of str, or callable, optional
        What the parameters are called. Of a callable, the model that ``curve_fit`` takes, the
        names of its arguments after the first. None: ``p[0]``, ``p[1]``, ...
    absolute_sigma : bool, optional
        As in ``curve_fit``. False: the standard errors of the data are known up to a factor, which
        the reduced chi-square estimates, and the covariance is scaled by it. True: the residuals
        were divided by the standard errors of the data, and nothing is scaled. Has no effect on
        ``(popt, pcov)``, whose covariance ``curve_fit`` has scaled or not.
    threshold : float, optional
        Correlations are listed that are larger than this in magnitude, 0 to 1.

    Returns
    -------
    Report
        The numbers as attributes. ``str`` makes text of them, and the method ``plot`` a picture.

    Raises
    ------
    TypeError
        If `fit` is no tuple or holds something else than such a tuple does, or another argument is
        of the wrong type.
    ValueError
        If shapes in `fit` do not fit together, the number of `names` is not N, or `threshold` is
        not between 0 and 1.

    Notes
    -----
    With ``full_output`` both functions return the same five things, but ``leastsq`` a `cov_x` that
    is not scaled, and ``curve_fit`` a `pcov` that is or is not. The report takes neither: it makes
    the covariance from the factorised Jacobian in `infodict`, and scales it unless
    `absolute_sigma` is true. So a fit by ``curve_fit(..., absolute_sigma=True)`` needs the same
    argument here.

    MINPACK does not count its iterations. It takes one Jacobian in each, so that they are as many
    as the calls of the function that gives it. Without one there is a limit: an iteration takes N
    calls for the differences and at least one to try a step.

    Examples
    --------
    >>> import numpy as np
    >>> from pyminpack import leastsq, report
    >>> t = np.array([0.0, 0.5, 1.0, 1.5, 2.0, 3.0, 4.0])
    >>> y = np.array([4.98, 3.72, 2.98, 2.47, 2.16, 1.74, 1.61])
    >>> def model(t, height, rate, rest):
    ...     return height * np.exp(-rate * t) + rest
    >>> fit = leastsq(lambda b: model(t, *b) - y, [1.0, 1.0, 0.0], full_output=True)
    >>> found = report(fit, names=model)
    >>> found
    <Report: 3 parameters, 7 data, reduced chi-square 0.000934, ier 1>
    >>> found.standard_errors.round(3)
    array([0.039, 0.024, 0.033])
    """
    parts = take_apart(fit)
    threshold = _core.read_real("threshold", threshold)
    if not 0.0 <= threshold <= 1.0:
        raise ValueError(f"threshold must be between 0 and 1, not {threshold:g}")
    return Report(
        names=names_of(names, parts.parameters.size),
        parameters=parts.parameters,
        **evaluate(parts, bool(absolute_sigma)),
        ier=parts.ier,
        message=parts.message,
        absolute_sigma=bool(absolute_sigma),
        threshold=threshold,
    )
