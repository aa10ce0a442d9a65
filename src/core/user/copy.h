/* Copies of doubles: all values are in the caller's memory, none is kept. */
#ifndef PYMINPACK_USER_COPY_H
#define PYMINPACK_USER_COPY_H

#include "numpy_api.h"

/* Whether there is no NaN and no infinity among the values. */
int copy_all_finite(const double *values, npy_intp size);

/* Copy a vector of float64 of any stride, or a single number. `out` has room for all of it. Returns
 * whether all of it is finite. */
int copy_vector(PyArrayObject *array, double *out);

/* Copy doubles that will not be read again before many others. */
void copy_past_caches(const double *values, npy_intp size, double *out);

/* Where the elements of a matrix lie, in memory that is another's: the first one, and the bytes
 * from one to the next down a column and along a row. */
typedef struct {
    const char *first;
    npy_intp down;
    npy_intp right;
} Matrix;

/* Copy an m by n matrix to the column-major `out`. */
void copy_matrix(const Matrix *matrix, npy_intp m, npy_intp n, double *out);

#endif /* PYMINPACK_USER_COPY_H */
