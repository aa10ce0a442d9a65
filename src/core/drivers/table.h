/* Many fits of one size: their starts, options and results, whoever drives
 * them. */
#ifndef PYMINPACK_DRIVERS_TABLE_H
#define PYMINPACK_DRIVERS_TABLE_H

#include "numpy_api.h"
#include "user/options.h"

typedef struct {
    npy_intp count;
    int n;
    Options options; /* epsfcn is negative until func's dtype is known */

    PyArrayObject *x0;      /* strong, (count, n) */
    PyArrayObject *diag;    /* strong; NULL, or (n,), or (count, n) */
    PyArrayObject *weights; /* strong; NULL, or (count or 1, m) */
    PyArrayObject *ydata;   /* strong; NULL, or (count or 1, m) */

    /* Strong, a row or element for each fit; what is not finished is left
     * alone. The last two may be NULL. */
    PyArrayObject *x, *ier, *nfev, *njev, *fnorm, *squares, *cov_x;
} Fits;

/* What a driver knows of a fit that is finished. */
typedef struct {
    int info, nfev, njev;
    const double *x, *fvec, *r;
    npy_intp ldr;
    const int *ipvt;
} Outcome;

/* Read (x0, diag, weights, ydata),
 * (x, ier, nfev, njev, fnorm, squares, cov_x) and
 * (ftol, xtol, gtol, factor, maxfev, epsfcn, qr); None stands for what is not
 * given or wanted. diag and the options are the user's, the rest are tables of
 * float64. `fits` is all zero before; fits_clear undoes it, also after a
 * failure. 0, or -1 with an exception. */
int fits_init(Fits *fits, PyObject *given, PyObject *results,
              PyObject *options, int has_jacobian);

/* What messages speak of, by name: a new dict, or NULL with an exception. */
PyObject *fits_options(const Fits *fits);

void fits_clear(Fits *fits);

/* Whether m residuals fit n, weights and ydata. 0, or -1 with an exception. */
int fits_check_size(const Fits *fits, npy_intp m);

/* The row of an array of Fits that belongs to a fit. */
double *fits_row(PyArrayObject *array, npy_intp fit);

/* The residuals f of what func returned: the difference to ydata, then the
 * weights. What weighs nothing is zero, also where it is NaN. Needs no GIL. */
void fits_take_residuals(const Fits *fits, npy_intp fit, int m,
                         const double *values, double *f);

/* The same in place; returns whether all of them are finite. */
int fits_weigh_residuals(const Fits *fits, npy_intp fit, int m, double *f);

/* The weights for the rows of a column-major Jacobian. Needs no GIL. */
void fits_weigh_jacobian(const Fits *fits, npy_intp fit, int m, double *fjac);

/* Write a fit's results. `work` has room for n. Needs no GIL. */
void fits_store(Fits *fits, npy_intp fit, int m, const Outcome *outcome,
                double *work);

#endif /* PYMINPACK_DRIVERS_TABLE_H */
