/* From a Jacobian to the factors that the iteration wants. */
#ifndef PYMINPACK_FIT_FACTOR_H
#define PYMINPACK_FIT_FACTOR_H

#include "fit/fit.h"
#include "user/gil.h"

/* The instruction set by which an m by n Jacobian is factored by blocks, as minpack/ counts them;
 * negative: as MINPACK does. */
int factor_isa(const Options *options, int m, int n);

/* Factor the Jacobian in fit->jacobian; or where `points` is not NULL, by blocks, that of
 * differences, whose residuals these n are. Needs no GIL. */
void factor_memory(Fit *fit, const double **points);

/* By blocks, how a user's array is read. */
typedef struct {
    int rows; /* copied at a time, so that what follows can be done without the
                 GIL; 0: not worth it */
    int64_t size;
    double *memory; /* borrowed: room for `size` elements */
} Chunk;

/* All of it but the memory. */
Chunk factor_chunk(int m, int n);

/* By blocks: reduce the array that Dfun returned to a triangle, which is still to be factored by
 * lm_factor. The GIL is released meanwhile where it pays. 0, or -1 with an exception. */
int factor_reduce_array(Fit *fit, PyArrayObject *jacobian, int col_deriv, const Chunk *chunk);

#endif /* PYMINPACK_FIT_FACTOR_H */
