/* One solve: its options and memory, and the run of MINPACK. */
#ifndef PYMINPACK_DRIVERS_ONE_H
#define PYMINPACK_DRIVERS_ONE_H

#include "drivers/keep.h"
#include "kernels/tuning.h"
#include "user/options.h"
#include "user/call.h"

typedef struct {
    Options options;
    int full; /* whether all results are wanted, or only x */

    double *room;                            /* borrowed: SOLVE_ROOM doubles */
    double *x;                               /* in `room`, or in x_memory */
    PyArrayObject *x_memory;                 /* strong; NULL: there was room */
    PyArrayObject *fvec, *fjac, *ipvt, *qtf; /* strong; NULL: not wanted */
    PyArrayObject *memory; /* strong: the workspace; NULL: there was room */
    double *diag, *wa, *ftrial;         /* pieces of the workspace */
    double *fvec_at, *fjac_at, *qtf_at; /* of it or of an array */
    int *ipvt_at;
    Large large; /* its memory: pieces */
} Solve;

/* Whether an m by n Jacobian is factored by blocks. */
int solve_takes_blocks(const Options *options, int m, int n);

/* Copy the start, a vector of float64, to where the solver may work on it. 0,
 * or -1 with an exception. */
int solve_copy_start(Solve *solve, PyArrayObject *start);

/* Take the memory that the size of the problem asks for, and func's first
 * residuals, if it was called already, into it before anything can run Python
 * code that changes them. Steals the reference to these.
 * solve_clear undoes it, also after a failure. 0, or -1 with an exception. */
int solve_allocate(Solve *solve, Problem *problem, PyArrayObject *first);

void solve_clear(Solve *solve, const Problem *problem);

/* Run MINPACK; the GIL is released where Python has no part. *info becomes
 * MINPACK's, INFO_NOT_FINITE, or what a compiled function returned to stop the
 * fit. 0, or -1 with an exception. */
int solve_run(Solve *solve, Problem *problem, int *info);

#endif /* PYMINPACK_DRIVERS_ONE_H */
