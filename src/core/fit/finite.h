/* The guard of one fit: what MINPACK itself does not see, a NaN or infinity
 * in the residuals at x0, in the Jacobian, or in a point that it takes for an
 * improvement. Needs no GIL and raises nothing. */
#ifndef PYMINPACK_FIT_FINITE_H
#define PYMINPACK_FIT_FINITE_H

/* pyminpack's own code beside MINPACK's: a NaN or infinity ended the fit. */
#define INFO_NOT_FINITE 9

typedef struct {
    int m;
    int n;
    double *x;           /* borrowed: MINPACK's best point, */
    double *fvec;        /* and the residuals there */
    const double *r;     /* borrowed: where the solver has R, */
    int ldr;             /* and its leading dimension */
    double *last_finite; /* owned; NULL, or room for x and fvec */
    int saved;           /* x and fvec before a leap are in it */
    int fresh_jacobian;  /* R has not been looked at since it was filled */
    int not_finite;      /* a NaN or infinity stopped the fit */
    int strayed;         /* a trial point or its residuals were not finite */
} Guard;

/* Begin a fit of n variables to m residuals; all else stays as it is. */
void guard_begin(Guard *guard, int m, int n, double *x, double *fvec);

/* Free the memory. It serves for any number of fits of one size before. */
void guard_clear(Guard *guard);

/* Take the answer for x0: whether the fit may go on. */
int guard_first(Guard *guard, int residuals_finite);

/* Look at the Jacobian before and at the trial point: whether the fit may go
 * on. */
int guard_trial(Guard *guard, const double *trial);

/* Take the residuals at the trial point. 0, or -1 where memory is lacking. */
int guard_answer(Guard *guard, const double *trial, int residuals_finite);

/* What the fit is to return where MINPACK says `info`; that is positive, or
 * anything where the guard stopped the fit. x and fvec become the last that
 * were finite. */
int guard_verdict(Guard *guard, int info);

#endif /* PYMINPACK_FIT_FINITE_H */
