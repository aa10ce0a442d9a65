/* The Jacobians of several fits factored at a time, one in each lane of the
 * processor's vectors, with the bits of one after another. */
#ifndef PYMINPACK_FIT_BATCHED_H
#define PYMINPACK_FIT_BATCHED_H

#include <stddef.h>

#define LANES_MOST 4

typedef struct {
    int width; /* matrices at a time; 0: one by one is as quick */
    double *a, *rhs, *rdiag, *acnorm, *wa; /* borrowed, as batched_qr has them */
    int *ipvt;
} Lanes;

/* How many m by n Jacobians to factor at a time. */
int lanes_width(int isa, int m, int n);

/* The doubles that lanes_lay_out takes. */
size_t lanes_size(int width, int m, int n);

void lanes_lay_out(Lanes *lanes, int width, int m, int n, double *memory);

/* Put the Jacobians, column-major, and the residuals of `width` fits into
 * their lanes. */
void lanes_load(const Lanes *lanes, int m, int n,
                const double *const fjac[LANES_MOST],
                const double *const f[LANES_MOST]);

/* Factor what is in the lanes. 0 where something is unusual: then they hold
 * nothing of use. */
int lanes_factor(const Lanes *lanes, int isa, int m, int n);

/* R to the upper triangle of fjac, and the rest to where lm_resume expects it.
 */
void lanes_store(const Lanes *lanes, int lane, int m, int n, double *fjac,
                 double *qtf, double *acnorm, int *ipvt);

#endif /* PYMINPACK_FIT_BATCHED_H */
