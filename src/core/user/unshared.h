/* Vectors that are out of everybody else's reach. */
#ifndef PYMINPACK_USER_UNSHARED_H
#define PYMINPACK_USER_UNSHARED_H

#include "numpy_api.h"

/* Whether an array of which the caller has a reference is a plain vector of `size` doubles, and
 * nobody else can get at it or at its memory. */
int unshared_vector(PyArrayObject *array, npy_intp size);

#endif /* PYMINPACK_USER_UNSHARED_H */
