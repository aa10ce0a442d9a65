/* The Jacobians of several fits factored at a time, one in each element of the processor's vectors,
 * with the bits of one after another. */
#ifndef PYMINPACK_FIT_BATCHED_H
#define PYMINPACK_FIT_BATCHED_H

#include "fit/fit.h"
#include "kernels/kernels.h"

typedef struct {
    int width;                /* matrices at a time; 0: one by one is as quick */
    int count;                /* fits that wait in `group` for company */
    Fit *group[BATCHED_MOST]; /* borrowed */
    int isa;
    double *a, *rhs, *norms, *work; /* borrowed, as batched_qr has them */
    int *ipvt;
} Batched;

/* How many m by n Jacobians to factor at a time. */
int batched_together(int isa, int m, int n);

/* The doubles that batched_lay_out takes. */
size_t batched_size(int width, int m, int n);

void batched_lay_out(Batched *batched, int width, int m, int n, double *memory);

/* Factor the Jacobians of a complete group; with `differences` what is in their place are the
 * residuals at the displaced points. 0 where something is unusual: then each has to be factored
 * alone. */
int batched_factor(const Batched *batched, int differences);

#endif /* PYMINPACK_FIT_BATCHED_H */
