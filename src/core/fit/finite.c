#include "fit/finite.h"

#include <math.h>
#include <string.h>

#include "user/copy.h"

/* Whether R is finite. Its columns have the norms of the Jacobian's, so that it has a NaN or
 * infinity whenever that had. */
static int
triangle_is_finite(const LmFit *lm)
{
    for (Py_ssize_t j = 0; j < lm->n; j++) {
        if (!copy_all_finite(lm->r + j * lm->ldr, j + 1)) {
            return 0;
        }
    }
    return 1;
}

static int
any_nan(const double *values, Py_ssize_t size)
{
    for (Py_ssize_t i = 0; i < size; i++) {
        if (isnan(values[i])) {
            return 1;
        }
    }
    return 0;
}

/* MINPACK rejects a trial point where the residuals are NaN, and most at infinity. But where
 * overflow made the point itself NaN, the predicted reduction is NaN too, no comparison with it
 * holds, and MINPACK would take the point for an improvement. */
int
finite_before_trial(Fit *fit)
{
    if (fit->fresh_jacobian) {
        fit->fresh_jacobian = 0;
        fit->not_finite = !triangle_is_finite(&fit->lm);
    }
    if (any_nan(fit->lm.trial, fit->lm.n)) {
        fit->not_finite = 1;
    }
    return !fit->not_finite;
}

int
finite_after_trial(Fit *fit, int residuals_finite)
{
    size_t n = (size_t)fit->lm.n;
    size_t m = (size_t)fit->m;

    if (residuals_finite && copy_all_finite(fit->lm.trial, fit->lm.n)) {
        return 0;
    }
    fit->strayed = 1;
    if (!copy_all_finite(fit->lm.x, fit->lm.n) || !copy_all_finite(fit->f, fit->m)) {
        return 0;
    }
    if (fit->last_finite == NULL) {
        /* No overflow: both were ints. */
        fit->last_finite = PyMem_RawMalloc((n + m) * sizeof(double));
        if (fit->last_finite == NULL) {
            return -1;
        }
    }
    memcpy(fit->last_finite, fit->lm.x, n * sizeof(double));
    memcpy(fit->last_finite + n, fit->f, m * sizeof(double));
    fit->saved = 1;
    return 0;
}

/* Where x or f has a NaN or infinity, MINPACK took a trial point where something overflowed for an
 * improvement. Nothing was saved when x0 or the residuals there were not finite. */
int
finite_restore(Fit *fit)
{
    size_t n = (size_t)fit->lm.n;
    size_t m = (size_t)fit->m;

    if (copy_all_finite(fit->lm.x, fit->lm.n) &&
        (!fit->strayed || copy_all_finite(fit->f, fit->m))) {
        return 1;
    }
    if (fit->saved) {
        memcpy(fit->lm.x, fit->last_finite, n * sizeof(double));
        memcpy(fit->f, fit->last_finite + n, m * sizeof(double));
    }
    return 0;
}

int
finite_verdict(Fit *fit)
{
    return finite_restore(fit) && !fit->not_finite &&
           !(fit->fresh_jacobian && !triangle_is_finite(&fit->lm));
}
