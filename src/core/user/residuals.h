/* What curve_fit computes for its model and data. */
#ifndef PYMINPACK_USER_RESIDUALS_H
#define PYMINPACK_USER_RESIDUALS_H

#include "numpy_api.h"

/* Put the type Residuals into the module. 0, or -1 with an exception. */
int residuals_add_type(PyObject *module);

/* The sum of squares, for the variance of the residuals. Needs no GIL. */
double residuals_sum(const double *values, npy_intp size);

/* sum_of_squares(array): the method of the module. */
PyObject *residuals_sum_of_squares(PyObject *module, PyObject *array);

#endif /* PYMINPACK_USER_RESIDUALS_H */
