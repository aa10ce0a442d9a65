/* What a user's function returned, as doubles in memory of our own. */
#ifndef PYMINPACK_USER_ARRAYS_H
#define PYMINPACK_USER_ARRAYS_H

#include "numpy_api.h"

/* func's first result, from which the number of residuals is learnt: a new
 * reference to a vector of native float64 of any stride, with at least `least`
 * elements; may be `value` itself. *type_num becomes the NumPy type that the
 * values had. NULL with an exception for anything else. */
PyArrayObject *convert_first_residuals(PyObject *value, npy_intp least,
                                       int *type_num);

/* Whether an object is a float64 vector that can be read as it is. */
int convert_is_vector(PyObject *object);

/* Whether there is no NaN and no infinity among the values. */
int convert_all_finite(const double *values, npy_intp size);

/* Copy a vector of float64 of any stride. `out` has room for all of it.
 * Returns whether all of it is finite. */
int convert_copy_vector(PyArrayObject *array, double *out);

/* Copy doubles that will not be read again before many others. */
void convert_copy_past_caches(const double *values, npy_intp size,
                              double *out);

/* Convert and copy func's result, which must have `size` elements. Returns
 * whether all of them are finite, or -1 with an exception set; then `out` may
 * be partly written. */
int convert_residuals(PyObject *value, npy_intp size, double *out);

/* func's result, which must have `size` elements: a new reference to a vector
 * of native float64 of any stride, perhaps `value` itself, or of any elements
 * of it. NULL with an exception. */
PyArrayObject *convert_vector(PyObject *value, npy_intp size);

/* Convert Dfun's result: a new reference to an array of native float64 of any
 * strides, perhaps `value` itself. Its shape must be (m, n), with `col_deriv`
 * (n, m); for n = 1 also (m,). `dfun` is for the message. NULL with an
 * exception. */
PyArrayObject *convert_jacobian(PyObject *value, PyObject *dfun, npy_intp m,
                                npy_intp n, int col_deriv);

/* Where the elements of a Jacobian lie: the first one, and the bytes from one
 * to the next down a column and along a row. */
typedef struct {
    const char *first;
    npy_intp down;
    npy_intp right;
} Matrix;

/* How convert_jacobian's array lies in memory. */
Matrix convert_matrix_of(PyArrayObject *array, int col_deriv);

/* Copy an m by n matrix to the column-major `out`. */
void convert_copy_matrix(const Matrix *matrix, npy_intp m, npy_intp n,
                         double *out);

#endif /* PYMINPACK_USER_ARRAYS_H */
