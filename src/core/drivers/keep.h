/* A fit by blocks keeps the arrays that func returns its residuals in, where nobody else holds
 * them. */
#ifndef PYMINPACK_DRIVERS_KEEP_H
#define PYMINPACK_DRIVERS_KEEP_H

#include "fit/fit.h"
#include "numpy_api.h"

typedef struct {
    PyArrayObject *f;        /* strong, nobody else's: at x */
    PyArrayObject *f_trial;  /* strong, nobody else's, or NULL */
    PyArrayObject *seen;     /* strong, or NULL: what is at the trial point
                                instead until it is judged, where somebody else
                                holds it, */
    PyObject *seen_value;    /* and, strong or NULL, what it was made from */
    PyArrayObject **columns; /* owned: n of them, strong, nobody else's, or
                                NULL: at displaced points, if not copied */
    int adopted;             /* func's last array became ours */
    PyArrayObject *memory;   /* strong; NULL, or what holds the copies, */
    double *copies;          /* which is NULL, or m by n */
} Keep;

/* Begin with what func returned at the start, as `value` and the array that was made of it. Steals
 * both. `columns`: the Jacobian is by differences. keep_clear undoes it, also after a failure. 0,
 * or -1 with an exception. */
int keep_open(Keep *keep, Fit *fit, PyObject *value, PyArrayObject *array, int columns);

void keep_clear(Keep *keep, int n);

/* Give back an array that func may take for its result: the one for a column, or for the trial
 * point where that is negative. */
void keep_release(Keep *keep, npy_intp column);

/* Keep residuals, which func returned as `value` and the array was made of; for a column, or at the
 * trial point where that is negative. Steals both references. Returns where the residuals are, or
 * NULL with an exception. */
const double *keep_array(Keep *keep, const Fit *fit, PyObject *value, PyArrayObject *array,
                         npy_intp column);

/* Follow the fit, which has taken the trial point for x, or not. */
void keep_judged(Keep *keep, Fit *fit, int accepted);

/* The columns are wanted no longer. */
void keep_release_columns(Keep *keep, int n);

#endif /* PYMINPACK_DRIVERS_KEEP_H */
