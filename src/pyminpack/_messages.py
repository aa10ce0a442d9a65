"""What several modules say: why a fit ended, and which type is wrong."""

from __future__ import annotations

from typing import Any


def describe(ier: int, ftol: Any, xtol: Any, gtol: Any, maxfev: int, improper: str) -> str:
    """Return the message for `ier`; `improper` names the parameters that made it 0."""
    if ier < 0:
        return f"The compiled function stopped the fit: it returned {ier}."
    match ier:
        case 0:
            return f"Improper input parameters. {improper}"
        case 1:
            return (
                "The actual and the predicted relative reduction of the sum of squares are both "
                f"at most ftol = {ftol:g}."
            )
        case 2:
            return (
                "The relative difference between two successive iterates is at most "
                f"xtol = {xtol:g}."
            )
        case 3:
            return (
                "The actual and the predicted relative reduction of the sum of squares are both "
                f"at most ftol = {ftol:g}, and the relative difference between two successive "
                f"iterates is at most xtol = {xtol:g}."
            )
        case 4:
            return (
                "The cosine of the angle between the residuals and any column of the Jacobian is "
                f"at most gtol = {gtol:g} in absolute value."
            )
        case 5:
            return f"The number of calls to func has reached maxfev = {maxfev}."
        case 6:
            return (
                f"ftol = {ftol:g} is too small: no further reduction of the sum of squares is "
                "possible."
            )
        case 7:
            return (
                f"xtol = {xtol:g} is too small: no further improvement of the solution is possible."
            )
        case 8:
            return (
                f"gtol = {gtol:g} is too small: the residuals are orthogonal to the columns of the "
                "Jacobian to machine precision."
            )
        case _:
            return (
                "The residuals at x0 or the Jacobian are not finite, or so large that the next "
                "step overflows."
            )


def reason(ier: int) -> str:
    """Return the message for `ier` without the tolerances; "" for what is not MINPACK's."""
    if ier > 9:
        return ""
    return describe(ier, 0.0, 0.0, 0.0, 0, "").replace(" = 0", "").rstrip()


def type_of(value: object) -> str:
    """Return the name of an object's type, quoted."""
    return repr(type(value).__name__)


def not_callable(name: str, value: object) -> TypeError:
    """Return the exception for an argument that has to be a function."""
    return TypeError(f"{name} must be callable, and an object of type {type_of(value)} is not")
