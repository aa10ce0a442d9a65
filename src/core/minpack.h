/* minpack/ as the shim uses it: the iteration, the factorisation by blocks, and the covariance.
 * Matrices are column-major; scalars go by value. */
#ifndef PYMINPACK_MINPACK_H
#define PYMINPACK_MINPACK_H

#include <stdint.h>

/* What a fit waits for. */
enum { LM_FINISHED, LM_RESIDUAL, LM_JACOBIAN, LM_TRIAL };

/* One fit between two requests: lm_fit of minpack/lm/fit.f90, where each component is described. */
typedef struct {
    int request, info, nfev, njev, iter, maxfev, mode, jacobian_cost;
    int n, ldr, isa;
    double ftol, xtol, gtol, factor, delta, par;
    double fnorm, xnorm, pnorm, gnorm;
    double *x, *diag, *qtf, *acnorm, *step, *trial, *work, *more, *r;
    int *ipvt;
    double *spare;
} LmFit;

/* Elements of spare. */
int64_t lm_spare(int n, int isa);

/* Begin a fit of m residuals, whose options and pointers are set. */
void lm_begin(LmFit *fit, int m);

/* Take the answer: the norm of residuals, or the factors of the Jacobian, which are in place. Where
 * iter grows, the trial point has become x. */
void lm_advance(LmFit *fit, double fnorm);

/* The norm of m residuals. */
double lm_norm(const LmFit *fit, int m, const double *f);

/* How far x is displaced for differences, variable by variable. */
void lm_steps(const LmFit *fit, double epsfcn, double *steps);

/* From the residuals where one variable is displaced to a column of the Jacobian, in place. */
void lm_quotient(int m, const double *f, double step, double *column);

/* From what is in fit->r to the factors: from the Jacobian, where qtfull is work for m, or by
 * blocks from a triangle, n by n + 1, where f and qtfull are not wanted. */
void lm_factor(LmFit *fit, int m, const double *f, double *qtfull);

/* By blocks: from the residuals at the displaced points, n vectors of m, to a triangle for
 * lm_factor. */
void lm_reduce(LmFit *fit, int m, const double *const *points, const double *f,
               const double *steps);

/* The triangle [R Q'f] of the rows of [A f], which come in any number of portions; `work` is
 * fit->spare. qr_pack and qr_reduce are the halves of qr_rows: blocks are a copy, so that qr_reduce
 * has no need of A. strides: the elements from one row to the next, and from one column to the
 * next. */
void qr_start(int n, double *r, double *work);
void qr_rows(int isa, int m, int n, const double *a, const int64_t *strides, const double *f,
             double *r, double *work);
void qr_pack(int isa, int m, int n, const double *a, const int64_t *strides, const double *f,
             double *blocks);
void qr_reduce(int isa, int m, int n, double *blocks, double *r, double *work);
void qr_end(int n, double *r, double *work);

/* Round rows up to a portion that does not change the result, and tell the elements that qr_pack
 * needs for it. */
void qr_chunk(int n, int *rows, int64_t *size);

/* The leading dimension of such a triangle. */
int qr_lead(int n);

/* (R'R)^-1 in place of R, rows and columns in the order of the variables: MINPACK-1's. */
void covar_(const int *n, double *r, const int *ldr, const int *ipvt, const double *tol,
            double *wa);

#endif /* PYMINPACK_MINPACK_H */
