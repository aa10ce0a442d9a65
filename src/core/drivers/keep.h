/* The fit of a large problem, whose Jacobian is factored by blocks: the loop
 * that answers what MINPACK's iteration asks for. */
#ifndef PYMINPACK_DRIVERS_KEEP_H
#define PYMINPACK_DRIVERS_KEEP_H

#include "user/options.h"
#include "user/call.h"
#include "fit/factor.h"

/* Residuals of Python functions stay in the arrays they come in where nobody
 * else holds these. */
typedef struct {
    PyArrayObject *fvec;   /* strong, owned_is: at x */
    PyArrayObject *ftrial; /* strong, owned_is, or NULL: at the trial point */
    PyArrayObject *seen;   /* strong, or NULL: what is there instead until the
                              point is judged, where somebody else holds it, */
    PyObject *seen_value;  /* and, strong or NULL, what it was made from */
    PyArrayObject **columns; /* owned: n of them, strong, owned_is, or NULL: at
                                displaced points, if not in `room` */
    const double **points;   /* owned: where the residuals there are */
    int adopted;             /* func's last array became ours */
    PyArrayObject *memory;   /* strong; NULL, or what `room` is in */
    double *room;  /* NULL, or m by n: columns that had to be copied, or what
                      compiled functions write */
    double *r;     /* borrowed: the triangle, n + 1 columns, */
    int ldr;       /* and its leading dimension; 0: this is no large fit */
    int factored;  /* R of a Jacobian is there */
    Blocks blocks; /* its memory: borrowed */
} Large;

/* What MINPACK's iteration works on, all of it borrowed. */
typedef struct {
    double *x, *diag, *qtf;
    double *wa; /* 4 n */
    int *ipvt;
} Vectors;

/* Take the arrays that the fit begins with. `first` is func's result at the
 * start, made from problem->result; NULL where func is compiled. Steals it,
 * and problem->result with it. large_clear undoes it, also after a failure. 0,
 * or -1 with an exception. */
int large_open(Large *large, Problem *problem, PyArrayObject *first);

void large_clear(Large *large, int n);

/* Run the fit: MINPACK's info, or negative where a callback would be. The
 * guard is set up and knows of r. */
int large_run(Large *large, Problem *problem, const Options *options,
              const Vectors *vectors);

#endif /* PYMINPACK_DRIVERS_KEEP_H */
