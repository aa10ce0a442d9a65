/* A fit between two requests: MINPACK's iteration, and the residuals that it is about. One fit and
 * one of a million are the same; who evaluates is the driver's. Nothing here calls a user's
 * function or needs the GIL. */
#ifndef PYMINPACK_FIT_FIT_H
#define PYMINPACK_FIT_FIT_H

#include "numpy_api.h" /* Python.h comes first */

#include "minpack.h"
#include "user/options.h"

/* pyminpack's own code beside MINPACK's: a NaN or infinity ended the fit. */
#define INFO_NOT_FINITE 9

typedef struct {
    LmFit lm;
    int m;
    int evaluations, jacobians; /* calls of the user's functions */
    npy_intp index;             /* which one of many */
    double *f;                  /* borrowed: m, at x */
    double *f_trial;            /* borrowed: m, at the trial point; free while the
                                   Jacobian is wanted */
    double *jacobian;           /* borrowed: m by n, column-major, where a function or
                                   differences write; lm.r where MINPACK factors; NULL */
    double *steps;              /* borrowed: n, how far x is displaced */

    int factored;        /* factors of a Jacobian are there */
    double *last_finite; /* owned; NULL, or room for x and f */
    int saved;           /* x and f before a leap are in it */
    int fresh_jacobian;  /* R has not been looked at since it was filled */
    int not_finite;      /* a NaN or infinity ended the fit */
    int strayed;         /* a trial point or its residuals were not finite */
} Fit;

/* Multiplications that a factorisation takes, and a step. */
static inline double
fit_work_of_factors(const Fit *fit)
{
    return (double)fit->m * fit->lm.n * fit->lm.n;
}

static inline double
fit_work_of_step(const Fit *fit)
{
    return (double)fit->lm.n * fit->lm.n * fit->lm.n;
}

/* Say how large a fit is, and by which instruction set it is factored by blocks; negative: as
 * MINPACK does. All else of it is zero. */
void fit_shape(Fit *fit, int m, int n, int isa);

/* The doubles of the vectors of length n, and of the triangle by blocks. */
size_t fit_size(const Fit *fit);

/* Lay these out in memory: the first that is free behind them. x, the residuals, the Jacobian and
 * lm.spare are not among them. */
double *fit_lay_out(Fit *fit, double *memory);

/* Begin at lm.x, with the user's scaling in lm.diag if options->mode is 2. */
void fit_begin(Fit *fit, const Options *options, int differences);

/* Free what the fit owns. It serves for any number of fits of one size. */
void fit_clear(Fit *fit);

/* Whether the trial point can be evaluated; if not, the fit is finished. */
int fit_may_try(Fit *fit);

/* Take the residuals at x or at the trial point, which are in f or in f_trial: their norm, and
 * whether all of them are finite. If the trial point is accepted, f and f_trial are exchanged. 0,
 * or -1 where memory is lacking. */
int fit_take_residuals(Fit *fit, double norm, int finite);

/* Take the factors of the Jacobian, which are in place. */
void fit_take_factors(Fit *fit);

/* Put x, displaced in one variable, at `point`. */
void fit_displace(const Fit *fit, npy_intp variable, double *point);

/* End a fit whose function returned a negative status. */
void fit_stop(Fit *fit, int status);

/* lm.info becomes what the fit is to return, and x and f the last that were finite. */
void fit_finish(Fit *fit);

#endif /* PYMINPACK_FIT_FIT_H */
