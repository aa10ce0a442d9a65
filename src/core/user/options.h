/* The options of a fit: what there is, and what each may be, is in the table of options.c, for one
 * fit and for many. */
#ifndef PYMINPACK_USER_OPTIONS_H
#define PYMINPACK_USER_OPTIONS_H

#include "numpy_api.h"

/* How the Jacobian is factored. */
enum { QR_AUTO, QR_MINPACK, QR_BLOCKED };

/* How many options are numbers: ftol, xtol, gtol, factor, maxfev and epsfcn. */
#define OPTIONS_NUMBERS 6

typedef struct {
    double ftol, xtol, gtol, epsfcn, factor;
    int maxfev;
    int mode; /* 1: MINPACK scales; 2: diag is the user's */
    int qr;   /* QR_AUTO, QR_MINPACK or QR_BLOCKED */
    int isa;  /* the processor's instruction set, as minpack/ counts them */
} Options;

/* Read ftol, xtol, gtol, factor, maxfev and epsfcn, which `values` are, and qr. A maxfev that is
 * not positive becomes the usual one for n variables; epsfcn is negative where it is None. Improper
 * values are for options_improper. 0, or -1 with an exception. */
int options_read(Options *options, PyObject *const *values, PyObject *qr, npy_intp n,
                 int has_jacobian);

/* Read diag for n variables of one fit, `count` 0, or of so many. *diag becomes a new reference to
 * an array that nobody else has, (n,) or (count, n); or NULL where it is None. Sets the mode. 0, or
 * -1 with an exception. */
int options_read_diag(Options *options, PyObject *value, npy_intp count, npy_intp n,
                      PyArrayObject **diag);

/* Where epsfcn was None, take the machine epsilon of the NumPy type of func's first result. */
void options_default_epsfcn(Options *options, int type_num);

/* The machine epsilon of a type, that of float64 unless it is a shorter float. */
double options_epsilon(int type_num);

/* Which of the values MINPACK refuses, in words; empty if none. `diag` may be NULL. A new
 * reference, or NULL with an exception. */
PyObject *options_improper(const Options *options, npy_intp n, PyArrayObject *diag);

/* Read a real number that is not NaN. 0, or -1 with an exception that names the option. */
int options_real(const char *name, PyObject *value, double *number);

/* An integer as an int: a new reference, or NULL with an exception. */
PyObject *options_integer(const char *name, PyObject *value);

#endif /* PYMINPACK_USER_OPTIONS_H */
