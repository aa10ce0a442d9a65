/* Many fits of one size: their starts, options and results, whoever drives them. */
#ifndef PYMINPACK_DRIVERS_TABLE_H
#define PYMINPACK_DRIVERS_TABLE_H

#include "fit/fit.h"
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

    /* Strong, a row or element for each fit; what is not finished is left alone. The last two may
     * be NULL. */
    PyArrayObject *x, *ier, *nfev, *njev, *fnorm, *squares, *cov_x;
} Table;

/* Read (x0, diag, weights, ydata), (x, ier, nfev, njev, fnorm, squares, cov_x) and (ftol, xtol,
 * gtol, factor, maxfev, epsfcn, qr); None stands for what is not given or wanted. diag and the
 * options are the user's, the rest are tables of float64. `table` is all zero before; table_clear
 * undoes it, also after a failure. 0, or -1 with an exception. */
int table_init(Table *table, PyObject *given, PyObject *results, PyObject *options,
               int has_jacobian);

/* What messages speak of, by name: a new dict, or NULL with an exception. */
PyObject *table_options(const Table *table);

void table_clear(Table *table);

/* Whether m residuals fit n, weights and ydata. 0, or -1 with an exception. */
int table_check_size(const Table *table, npy_intp m);

/* The row of a table of the user's that belongs to a fit. */
double *table_row(PyArrayObject *array, npy_intp fit);

/* The residuals f of what func returned, which may be there already: the difference to ydata, then
 * the weights. What weighs nothing is zero, also where it is NaN. Needs no GIL. */
void table_take_residuals(const Table *table, npy_intp fit, int m, const double *values, double *f);

/* The weights for the rows of a column-major Jacobian. Needs no GIL. */
void table_weigh_jacobian(const Table *table, npy_intp fit, int m, double *fjac);

/* Write the results of a fit that has ended. Needs no GIL. */
void table_store(Table *table, const Fit *fit);

#endif /* PYMINPACK_DRIVERS_TABLE_H */
