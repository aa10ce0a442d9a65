#include "fit/finite.h"

#include <math.h>
#include <string.h>

#include "user/copy.h"

void
guard_begin(Guard *guard, int m, int n, double *x, double *fvec)
{
    guard->m = m;
    guard->n = n;
    guard->x = x;
    guard->fvec = fvec;
    guard->saved = 0;
    guard->fresh_jacobian = 0;
    guard->not_finite = 0;
    guard->strayed = 0;
}

void
guard_clear(Guard *guard)
{
    PyMem_RawFree(guard->last_finite);
    guard->last_finite = NULL;
}

int
guard_first(Guard *guard, int residuals_finite)
{
    guard->not_finite = !residuals_finite;
    return residuals_finite;
}

/* Whether R has a NaN or infinity. Its columns have the norms of the
 * Jacobian's, so that it has one whenever that had. */
static int
triangle_is_finite(const Guard *guard)
{
    for (Py_ssize_t j = 0; j < guard->n; j++) {
        if (!copy_all_finite(guard->r + j * guard->ldr, j + 1)) {
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

/* MINPACK rejects a trial point where the residuals are NaN, and most at
 * infinity. But where overflow made the point itself NaN, the predicted
 * reduction is NaN too, no comparison with it holds, and MINPACK would take
 * the point for an improvement. */
int
guard_trial(Guard *guard, const double *trial)
{
    if (guard->fresh_jacobian) {
        guard->fresh_jacobian = 0;
        guard->not_finite = !triangle_is_finite(guard);
    }
    if (any_nan(trial, guard->n)) {
        guard->not_finite = 1;
    }
    return !guard->not_finite;
}

int
guard_answer(Guard *guard, const double *trial, int residuals_finite)
{
    size_t n = (size_t)guard->n;
    size_t m = (size_t)guard->m;

    if (residuals_finite && copy_all_finite(trial, guard->n)) {
        return 0;
    }
    guard->strayed = 1;
    if (!copy_all_finite(guard->x, guard->n) ||
        !copy_all_finite(guard->fvec, guard->m)) {
        return 0;
    }
    if (guard->last_finite == NULL) {
        /* No overflow: both were ints. */
        guard->last_finite = PyMem_RawMalloc((n + m) * sizeof(double));
        if (guard->last_finite == NULL) {
            return -1;
        }
    }
    memcpy(guard->last_finite, guard->x, n * sizeof(double));
    memcpy(guard->last_finite + n, guard->fvec, m * sizeof(double));
    guard->saved = 1;
    return 0;
}

/* Whether x or fvec has a NaN or infinity: MINPACK then took a trial point
 * where something overflowed for an improvement. x and fvec become again what
 * they were before it. */
static int
has_leapt(Guard *guard)
{
    size_t n = (size_t)guard->n;
    size_t m = (size_t)guard->m;

    if (copy_all_finite(guard->x, guard->n) &&
        (!guard->strayed || copy_all_finite(guard->fvec, guard->m))) {
        return 0;
    }
    /* Nothing was when x0 or the residuals there were not finite. */
    if (guard->saved) {
        memcpy(guard->x, guard->last_finite, n * sizeof(double));
        memcpy(guard->fvec, guard->last_finite + n, m * sizeof(double));
    }
    return 1;
}

int
guard_verdict(Guard *guard, int info)
{
    if (has_leapt(guard) || guard->not_finite ||
        (guard->fresh_jacobian && !triangle_is_finite(guard))) {
        return INFO_NOT_FINITE;
    }
    return info;
}
