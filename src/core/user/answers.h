/* What func and Dfun returned, as doubles of the shape that a fit needs. The caller holds the
 * object until these have been read. */
#ifndef PYMINPACK_USER_ANSWERS_H
#define PYMINPACK_USER_ANSWERS_H

#include "user/arrays.h"

/* func's first result, from which the number of residuals is learnt: a new reference to a vector of
 * native float64 of any stride, with at least `least` elements; may be `value` itself. *type_num
 * becomes the NumPy type that the values had. NULL with an exception for anything else. */
PyArrayObject *answers_first_residuals(PyObject *value, npy_intp least, int *type_num);

/* Convert and copy func's result, which must have `size` elements. Returns whether all of them are
 * finite, or -1 with an exception set; then `out` may be partly written. */
int answers_residuals(PyObject *value, npy_intp size, double *out);

/* func's result, which must have `size` elements: a new reference to a vector of native float64 of
 * any stride, perhaps `value` itself, or of any elements of it. NULL with an exception. */
PyArrayObject *answers_vector(PyObject *value, npy_intp size);

/* Convert Dfun's result: a new reference to an array of native float64 of any strides, perhaps
 * `value` itself. Its shape must be (m, n), with `col_deriv` (n, m); for n = 1 also (m,). `dfun` is
 * for the message. NULL with an exception. */
PyArrayObject *answers_jacobian(PyObject *value, PyObject *dfun, npy_intp m, npy_intp n,
                                int col_deriv);

/* How answers_jacobian's array lies in memory. */
Matrix answers_matrix_of(PyArrayObject *array, int col_deriv);

#endif /* PYMINPACK_USER_ANSWERS_H */
