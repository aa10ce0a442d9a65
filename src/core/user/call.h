/* The user's functions of one fit, and how they are called. Either may be compiled. */
#ifndef PYMINPACK_USER_CALL_H
#define PYMINPACK_USER_CALL_H

#include "numpy_api.h"
#include "user/compiled.h"
#include "user/gil.h"
#include "user/given.h"

typedef struct {
    Given *given;                        /* borrowed: what leastsq was called with */
    const CompiledFunction *residuals;   /* func's; NULL: func is Python's */
    const CompiledFunction *derivatives; /* dfun's; NULL: it is Python's */
    int stopped;                         /* what a compiled function returned to stop */

    PyObject **call;         /* owned: a free slot, x, then args */
    Py_ssize_t nargs;        /* of `call`, x included */
    PyArrayObject *argument; /* strong; NULL, or the x of the last call */

    Gil gil; /* left while Python has no part */
} Call;

/* See what is compiled, and make room for the arguments. `call` is all zero before, but for
 * `given`; call_clear undoes it, also after a failure. 0, or -1 with an exception. */
int call_init(Call *call);

void call_clear(Call *call);

/* Whether Python has no part in the fit. */
int call_is_compiled(const Call *call);

/* Whether functions that are compiled fit a problem of m residuals and n variables, where *m is
 * learnt from func if that is. 0, or -1 with an exception. */
int call_find_m(const Call *call, int *m, int n);

/* An array with the n values x that is nobody else's. A new reference, or NULL with an exception.
 */
PyArrayObject *call_argument(Call *call, const double *x, int n);

/* function(x, *args) with such an array: a new reference, or NULL with an exception. */
PyObject *call_python(Call *call, PyObject *function, const double *x, int n);

/* The m residuals of a Python func at x to f: whether they are finite, or -1 with an exception. */
int call_residuals(Call *call, int n, const double *x, int m, double *f);

/* Residuals of a compiled func at x to m doubles: whether they are finite. -1 where the fit is to
 * end: call->stopped is not 0, or an exception is set. */
int call_compiled(Call *call, int n, const double *x, double *f, int iflag);

/* As call_compiled, for the Jacobian; 0 where all is well. */
int call_compiled_jacobian(Call *call, int n, const double *x, double *f, double *jacobian);

#endif /* PYMINPACK_USER_CALL_H */
