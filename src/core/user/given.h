/* What leastsq was given, checked and converted before func is called. */
#ifndef PYMINPACK_USER_GIVEN_H
#define PYMINPACK_USER_GIVEN_H

#include "numpy_api.h"
#include "user/options.h"

/* How many arguments there are: func, dfun, x0, args, col_deriv, ftol, xtol, gtol, factor, maxfev,
 * epsfcn, diag, full, qr. */
#define GIVEN_ARGUMENTS 14

typedef struct {
    PyObject *func;       /* borrowed from the arguments, */
    PyObject *dfun;       /* as this one; NULL: differences */
    PyObject *args;       /* strong: a tuple */
    PyArrayObject *start; /* strong: a vector of float64, until it is copied */
    PyArrayObject *diag;  /* strong; NULL, or (n,), nobody else's */
    Options options;
    npy_intp n;
    int col_deriv;
    int full;
} Given;

/* Read the functions, args and x0. `start` may be the caller's own array: it has to be copied
 * before the options are read, which may run code of the user's. `given` is all zero before;
 * given_clear undoes it, also after a failure. 0, or -1 with an exception. */
int given_read_start(Given *given, PyObject *const *arguments);

/* Then read the options. 0, or -1 with an exception. */
int given_read_options(Given *given, PyObject *const *arguments);

void given_clear(Given *given);

#endif /* PYMINPACK_USER_GIVEN_H */
