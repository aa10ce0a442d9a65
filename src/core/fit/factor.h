/* The blocked factorisation: from a Jacobian to a triangle that stands for it.
 * Only minpack/ has it; without it there is nothing here to call. */
#ifndef PYMINPACK_FIT_FACTOR_H
#define PYMINPACK_FIT_FACTOR_H

#include "numpy_api.h"

#include <stdint.h>

#include "kernels/tuning.h"

/* Whether this build has the blocked factorisation. */
int triangle_available(void);

/* The best instruction set that code was compiled for and that this processor
 * has, as minpack/ counts them. */
int triangle_instruction_set(void);

/* The leading dimension of a triangle. */
int triangle_lead(int n);

/* What triangle_of needs beside the Jacobian. */
typedef struct {
    int isa;
    int chunk_rows; /* copied at a time, so that what follows can be done
                       without the GIL; 0: not worth it */
    int64_t chunk_size;
    double *chunk; /* borrowed: room for chunk_size elements */
    double *work;  /* borrowed: room for qr_spare(n) elements */
} Blocks;

/* How an m by n Jacobian is going to be reduced: all but the memory. */
Blocks triangle_plan(int m, int n);

/* Reduce a Jacobian to r, n by n + 1 with leading dimension triangle_lead(n): R of J = Q*R,
 * and as the last column the first n components of Q'*fvec. The GIL is
 * released meanwhile where it pays.
 * 0, or -1 with an exception; then r may be partly written. */
int triangle_of(PyArrayObject *jacobian, int col_deriv, const Blocks *blocks,
                int m, int n, const double *fvec, double *r);

/* As triangle_of, from memory of our own, column-major. Needs no GIL. */
void triangle_of_memory(const double *jacobian, const Blocks *blocks, int m,
                        int n, const double *fvec, double *r);

#endif /* PYMINPACK_FIT_FACTOR_H */
