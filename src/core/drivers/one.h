/* One fit, small or large: its options, functions and memory, and the loop that answers what the
 * iteration asks for. */
#ifndef PYMINPACK_DRIVERS_ONE_H
#define PYMINPACK_DRIVERS_ONE_H

#include "drivers/keep.h"
#include "fit/factor.h"
#include "fit/fit.h"
#include "kernels/tuning.h"
#include "user/call.h"

typedef struct {
    Fit fit;
    Call call;
    int first_finite; /* whether what func returned first is */

    double *room;                            /* borrowed: ONE_ROOM doubles */
    PyArrayObject *x_memory;                 /* strong: x; NULL: there was room */
    PyArrayObject *memory;                   /* strong: the rest; NULL: there was room */
    PyArrayObject *fvec, *fjac, *ipvt, *qtf; /* strong; NULL: not wanted */
    const double **points;                   /* borrowed; NULL, or n: by blocks, where the
                                                residuals at displaced points are */
    Keep keep;                               /* of a fit by blocks */
    Chunk chunk;                             /* of a fit by blocks */
} One;

/* Copy the start to where the fit may work on it. 0, or -1 with an exception. */
int one_copy_start(One *one);

/* Call func at the start if it is Python's, and take the memory that the size of the problem asks
 * for. one_clear undoes it, also after a failure. 0, or -1 with an exception. */
int one_open(One *one);

void one_clear(One *one);

/* Run the fit; the GIL is released where Python has no part. fit.lm.info becomes MINPACK's,
 * INFO_NOT_FINITE, or what a compiled function returned to stop. 0, or -1 with an exception. */
int one_run(One *one);

/* Put what came of it where the user gets it, if all results are wanted. 0, or -1 with an
 * exception. */
int one_hand_over(One *one);

/* Whether the residuals stay in the arrays that func returns. */
static inline int
one_keeps_arrays(const One *one)
{
    return one->fit.lm.isa >= 0 && one->call.residuals == NULL;
}

#endif /* PYMINPACK_DRIVERS_ONE_H */
