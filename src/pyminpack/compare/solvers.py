"""Who takes part: one adapter each, and the table of them.

An adapter calls its solver as a user would: with the solver's defaults, but for the tolerances
where the task is tight, and the limit of evaluations. What it does besides is in the times, so it
only passes on what the solver returns.
"""

from __future__ import annotations

import importlib
import importlib.metadata
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any, Final, NamedTuple

import numpy as np
from numpy.typing import NDArray

from .problems import LIMIT, TIGHT, Problem, Way

Vector = NDArray[np.float64]

OURS: Final = "pyminpack"


@dataclass(frozen=True, eq=False)
class Task:
    """
    One problem, and how it is to be solved.

    Attributes
    ----------
    residual, jacobian
        ``residual(x)`` has shape (m,); ``jacobian(x)``, shape (m, n), is None where the solver has
        to form differences.
    model, y
        The same for those who fit curves: ``residual(x)`` is ``model(x) - y``.
    x0 : (n,)
        The start.
    limit
        Evaluations that a solver may make.
    way
        Tolerances and Jacobian by name.

    Examples
    --------
    >>> from pyminpack.compare.problems import WAYS, all_problems
    >>> from pyminpack.compare.solvers import task_of
    >>> task = task_of(all_problems()[0], WAYS[0])
    >>> task.residual(task.x0).shape == task.y.shape
    True
    """

    residual: Callable[[Vector], Vector]
    jacobian: Callable[[Vector], Vector] | None
    model: Callable[[Vector], Vector]
    y: Vector
    x0: Vector
    limit: int
    way: Way

    def tolerances(self, *names: str) -> dict[str, float]:
        """
        Return options for a solver: the tolerance where the task is tight, and none otherwise.

        Parameters
        ----------
        *names : str
            What the solver calls the tolerances that it has.

        Returns
        -------
        dict
            The options by name.

        Examples
        --------
        >>> from pyminpack.compare.problems import Way, all_problems
        >>> from pyminpack.compare.solvers import task_of
        >>> task_of(all_problems()[0], Way("tight", "exact")).tolerances("ftol", "xtol")
        {'ftol': 1e-15, 'xtol': 1e-15}
        """
        return dict.fromkeys(names, TIGHT) if self.way.tolerance == "tight" else {}


class Outcome(NamedTuple):
    """
    What a solver found; None is what it does not tell.

    Attributes
    ----------
    x : (n,)
        The solution.
    fvec : (m,)
        The residuals at `x`.
    ier
        MINPACK's number of the reason to stop.
    nfev, njev
        Evaluations of residuals and Jacobian as the solver counts them.
    inverse : (n, n)
        The inverse of ``J.T @ J``, for a solver that leaves it to the user to scale it.
    covariance : (n, n)
        The covariance of `x`.
    errors : (n,)
        The standard errors of `x`.

    Examples
    --------
    >>> import numpy as np
    >>> from pyminpack.compare import Outcome
    >>> Outcome(np.array([1.0]), nfev=7).nfev
    7
    """

    x: Vector
    fvec: Vector | None = None
    ier: int | None = None
    nfev: int | None = None
    njev: int | None = None
    inverse: Vector | None = None
    covariance: Vector | None = None
    errors: Vector | None = None

    def standard_errors(self, rss: float, degrees_of_freedom: int) -> Vector | None:
        """
        Return the standard errors, from whatever the solver offers.

        Parameters
        ----------
        rss : float
            The sum of squares at `x`, which scales `inverse`.
        degrees_of_freedom : int
            Residuals less parameters.

        Returns
        -------
        ndarray of float64, shape (n,), or None
            The standard errors; None where the solver offers nothing to make them from.

        Examples
        --------
        >>> import numpy as np
        >>> from pyminpack.compare import Outcome
        >>> outcome = Outcome(np.array([1.0]), inverse=np.array([[0.5]]))
        >>> outcome.standard_errors(rss=8.0, degrees_of_freedom=1)
        array([2.])
        """
        covariance = self.covariance
        if self.inverse is not None and degrees_of_freedom > 0:
            covariance = self.inverse * (rss / degrees_of_freedom)
        if self.errors is not None or covariance is None:
            return self.errors
        with np.errstate(invalid="ignore"):
            errors: Vector = np.sqrt(np.diag(covariance))
        return errors


@dataclass(frozen=True)
class Solver:
    """
    A row of the table of solvers.

    Attributes
    ----------
    name
        Name in tables and on the command line, without blanks.
    module
        What is imported, and given to `solve`.
    solve
        ``solve(module, task)``, the adapter. Whatever it raises is reported.

    Examples
    --------
    >>> from pyminpack.compare import SOLVERS
    >>> SOLVERS[0].name, SOLVERS[0].package
    ('pyminpack', 'pyminpack')
    """

    name: str
    module: str
    solve: Callable[[Any, Task], Outcome]

    @property
    def package(self) -> str:
        """What a user installs to have it."""
        return self.module.partition(".")[0]

    def version(self) -> str:
        """
        Return the version of the package.

        Returns
        -------
        str
            The version; "unknown" where the package tells none.

        Examples
        --------
        >>> import pyminpack
        >>> from pyminpack.compare import SOLVERS
        >>> SOLVERS[0].version() == pyminpack.__version__
        True
        """
        try:
            return importlib.metadata.version(self.package)
        except importlib.metadata.PackageNotFoundError:
            return str(getattr(importlib.import_module(self.package), "__version__", "unknown"))

    def load(self) -> Callable[[Task], Outcome]:
        """
        Import the module, and raise whatever the import raises.

        Returns
        -------
        callable
            The adapter with the module: it takes a `Task` and returns an `Outcome`.

        Examples
        --------
        >>> from pyminpack.compare import SOLVERS
        >>> from pyminpack.compare.problems import WAYS, all_problems
        >>> from pyminpack.compare.solvers import task_of
        >>> SOLVERS[0].load()(task_of(all_problems()[0], WAYS[0])).ier
        1
        """
        return partial(self.solve, importlib.import_module(self.module))


def task_of(problem: Problem, way: Way, wrap: Callable[[str, Any], Any] | None = None) -> Task:
    """Make a task; `wrap` gets "residual" or "jacobian" and a function, and returns another."""
    around = wrap or (lambda _, function: function)
    x0 = problem.x0.copy()
    # A fit that moved its start would begin elsewhere when it is repeated.
    x0.flags.writeable = False
    return Task(
        residual=around("residual", problem.residual),
        jacobian=around("jacobian", problem.jacobian) if way.jacobian == "exact" else None,
        model=around("residual", problem.model),
        y=problem.y,
        x0=x0,
        limit=LIMIT,
        way=way,
    )


# The adapters.


def leastsq(module: Any, task: Task) -> Outcome:
    """pyminpack's and SciPy's leastsq are called alike."""
    x, inverse, info, _, ier = module.leastsq(
        task.residual,
        task.x0,
        Dfun=task.jacobian,
        full_output=True,
        maxfev=task.limit,
        **task.tolerances("ftol", "xtol"),
    )
    return Outcome(x, info["fvec"], ier, info["nfev"], info.get("njev"), inverse=inverse)


def curve_fit(optimize: Any, task: Task) -> Outcome:
    model, jacobian = task.model, task.jacobian
    x, covariance, info, _, ier = optimize.curve_fit(
        lambda _, *x: model(np.array(x)),
        np.arange(float(task.y.size)),
        task.y,
        task.x0,
        jac=jacobian and (lambda _, *x: jacobian(np.array(x))),
        full_output=True,
        maxfev=task.limit,
        **task.tolerances("ftol", "xtol"),
    )
    return Outcome(x, info["fvec"], ier, info["nfev"], info.get("njev"), covariance=covariance)


# What least_squares calls MINPACK's reasons to stop.
_IER_BY_STATUS = {0: 5, 1: 4, 2: 1, 3: 2, 4: 3}


def least_squares(optimize: Any, task: Task, method: str) -> Outcome:
    found = optimize.least_squares(
        task.residual,
        task.x0,
        jac=task.jacobian or "2-point",
        method=method,
        max_nfev=task.limit,
        **task.tolerances("ftol", "xtol", "gtol"),
    )
    ier = _IER_BY_STATUS.get(found.status) if method == "lm" else None
    return Outcome(found.x, found.fun, ier, found.nfev, found.njev)


def lmfit(package: Any, task: Task) -> Outcome:
    residual, jacobian = task.residual, task.jacobian
    parameters = package.Parameters()
    for place, value in enumerate(task.x0):
        parameters.add(f"x{place}", value)

    def values(current: Any) -> Vector:
        return np.array(list(current.valuesdict().values()))

    exact = {}
    if jacobian is not None:
        exact = {"Dfun": lambda current: jacobian(values(current))}
    found = package.minimize(
        lambda current: residual(values(current)),
        parameters,
        method="leastsq",
        max_nfev=task.limit,
        **exact,
        **task.tolerances("ftol", "xtol"),
    )
    covariance = getattr(found, "covar", None)
    ier = getattr(found, "ier", None)
    return Outcome(values(found.params), found.residual, ier, found.nfev, covariance=covariance)


def odrpack(package: Any, task: Task) -> Outcome:
    model, jacobian, exact = task.model, task.jacobian, {}
    if jacobian is not None:
        # jac_beta is called only when there is a jac_x too, of which OLS makes no use.
        nothing = np.zeros(task.y.size)
        exact = {"jac_beta": lambda _, x: jacobian(x).T, "jac_x": lambda _, x: nothing}
    found = package.odr_fit(
        lambda _, x: model(x),
        np.arange(float(task.y.size)),
        task.y,
        task.x0,
        task="OLS",
        maxit=task.limit,
        **exact,
        **task.tolerances("sstol", "partol"),
    )
    return Outcome(found.beta, found.eps, None, found.nfev, found.njev, errors=found.sd_beta)


SOLVERS: Final[list[Solver]] = [
    Solver(OURS, "pyminpack", leastsq),
    Solver("scipy-leastsq", "scipy.optimize", leastsq),
    Solver("scipy-curve_fit", "scipy.optimize", curve_fit),
    Solver("scipy-lm", "scipy.optimize", partial(least_squares, method="lm")),
    Solver("scipy-trf", "scipy.optimize", partial(least_squares, method="trf")),
    Solver("lmfit", "lmfit", lmfit),
    Solver("odrpack", "odrpack", odrpack),
]
"""The table: the first is what all others are compared with."""
