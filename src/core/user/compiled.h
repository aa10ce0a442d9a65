/* Compiled: the user's residuals, or residuals and Jacobian, as machine code.
 *
 * The two signatures are those of cminpack. `p` is the address of the user's data. What they return
 * is MINPACK's iflag: negative stops the fit. */
#ifndef PYMINPACK_USER_COMPILED_H
#define PYMINPACK_USER_COMPILED_H

#include "numpy_api.h"

/* Residuals at x, n numbers, to fvec, m numbers; iflag is 1, or 2 where they serve for a
 * difference. */
typedef int compiled_residual_fcn(void *p, int m, int n, const double *x, double *fvec, int iflag);

/* iflag 1 wants residuals in fvec; 2 wants the Jacobian in fjac, m by n, column-major with leading
 * dimension ldfjac, and leaves fvec alone. */
typedef int compiled_jacobian_fcn(void *p, int m, int n, const double *x, double *fvec,
                                  double *fjac, int ldfjac, int iflag);

/* What a solver needs of a Compiled. The residuals come from `residual` or, where that is NULL,
 * from `combined`, which is not NULL then: a solver calls compiled_residuals. */
typedef struct {
    compiled_residual_fcn *residual;
    compiled_jacobian_fcn *combined; /* called for residuals, iflag 1, alone */
    compiled_jacobian_fcn *jacobian; /* NULL: differences */
    void *p;                         /* borrowed from the object; may be NULL */
    int m;
    Py_ssize_t k; /* doubles that the functions read at p; -1: not declared */
} CompiledFunction;

/* Add the type Compiled to the module. 0, or -1 with an exception. */
int compiled_add_type(PyObject *module);

/* What is in a Compiled; NULL, without an exception, where `object` is another. Valid as long as
 * the object lives. */
const CompiledFunction *compiled_function(PyObject *object);

/* Residuals at x to fvec, with the data p: what the user's function returned. `combined` gets iflag
 * 1 whatever `iflag` is, and NULL for fjac. Needs no GIL. */
int compiled_residuals(const CompiledFunction *function, void *p, int n, const double *x,
                       double *fvec, int iflag);

#endif /* PYMINPACK_USER_COMPILED_H */
