/* (J'J)^-1 from the factors of J. */
#ifndef PYMINPACK_FIT_COVARIANCE_H
#define PYMINPACK_FIT_COVARIANCE_H

#include "numpy_api.h"

/* The inverse to `out`, n by n, from R with leading dimension ldr and the permutation, counted from
 * 1; `work` has room for n. Returns whether R is regular and the inverse finite. Needs no GIL. */
int covariance_of(int n, const double *r, npy_intp ldr, const int *ipvt, double *out, double *work);

/* covariance() of the module. */
PyObject *covariance_method(PyObject *module, PyObject *const *args, Py_ssize_t nargs);

#endif /* PYMINPACK_FIT_COVARIANCE_H */
