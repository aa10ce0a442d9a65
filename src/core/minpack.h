/* MINPACK-1's binary interface, as far as the shim uses it: Fortran passes
 * everything by reference, matrices are column-major, INTEGER is int.
 *
 * Any MINPACK-1 library fits behind these prototypes; minpack/ is one.
 */
#ifndef PYMINPACK_MINPACK_H
#define PYMINPACK_MINPACK_H

/* FCN of lmdif_: residuals at x to fvec. *iflag is 1, or 2 for a difference;
 * set it negative to stop the solver. m is the address the solver was given.
 */
typedef void residual_fcn(const int *m, const int *n, const double *x,
                          double *fvec, int *iflag);

/* FCN of lmder_: *iflag 1 wants residuals in fvec, 2 the Jacobian in fjac. */
typedef void jacobian_fcn(const int *m, const int *n, const double *x,
                          double *fvec, double *fjac, const int *ldfjac,
                          int *iflag);

void lmdif_(residual_fcn *fcn, const int *m, const int *n, double *x,
            double *fvec, const double *ftol, const double *xtol,
            const double *gtol, const int *maxfev, const double *epsfcn,
            double *diag, const int *mode, const double *factor,
            const int *nprint, int *info, int *nfev, double *fjac,
            const int *ldfjac, int *ipvt, double *qtf, double *wa1,
            double *wa2, double *wa3, double *wa4);

void lmder_(jacobian_fcn *fcn, const int *m, const int *n, double *x,
            double *fvec, double *fjac, const int *ldfjac, const double *ftol,
            const double *xtol, const double *gtol, const int *maxfev,
            double *diag, const int *mode, const double *factor,
            const int *nprint, int *info, int *nfev, int *njev, int *ipvt,
            double *qtf, double *wa1, double *wa2, double *wa3, double *wa4);

/* (R'R)^-1 in place of R, rows and columns in the order of the variables. Not
 * part of every MINPACK-1 library: this one always comes from minpack/. */
void covar_(const int *n, double *r, const int *ldr, const int *ipvt,
            const double *tol, double *wa);

#ifdef PYMINPACK_BLOCKED /* what minpack/ has beyond MINPACK-1 */

#include <stdint.h>

/* Elements of `spare` and of `work` below, and the leading dimension of r. */
int64_t qr_spare(int n);
int qr_lead(int n);

/* R of A = Q*R and Q'*f, from the rows of A in any number of portions. Strides
 * are elements from one row to the next and from one column to the next. pack
 * and fold are the halves of rows: blocks are a copy, so that fold has no need
 * of A. qr_chunk rounds `rows` up to what may be packed at a time, and tells
 * how many elements that takes. */
void qr_start(int n, double *r, double *work);
void qr_rows(int isa, int m, int n, const double *a, const int64_t strides[2],
             const double *f, double *r, double *work);
void qr_chunk(int n, int *rows, int64_t *size);
void qr_pack(int isa, int m, int n, const double *a, const int64_t strides[2],
             const double *f, double *blocks);
void qr_fold(int isa, int m, int n, double *blocks, double *r, double *work);
void qr_end(int n, double *r, double *work);

/* What a fit waits for between two calls of lm_advance. */
enum { LM_FINISHED, LM_RESIDUAL, LM_JACOBIAN, LM_TRIAL };

/* A fit between two requests: lm_state of minpack/lm/fit.f90. */
typedef struct {
    int request, info, nfev, njev, iter, maxfev, mode, jacobian_cost;
    double ftol, xtol, gtol, factor, delta, par, fnorm, xnorm, pnorm, gnorm;
} LmState;

/* Begin a fit: it waits for the residuals at x. */
void lm_start(LmState *state, const int *m, const int *n, const int *ldfjac,
              const double *ftol, const double *xtol, const double *gtol,
              const int *maxfev, const double *diag, const int *mode,
              const double *factor, const int *jacobian_cost);

/* Take the answer: residuals at x in fvec, at trial in ftrial, the Jacobian in
 * fjac. */
void lm_advance(LmState *state, const int *m, const int *n, double *x,
                double *fvec, double *fjac, const int *ldfjac, double *diag,
                int *ipvt, double *qtf, double *step, double *trial,
                double *work, double *ftrial);

/* As lm_advance by blocks, where the caller keeps the residuals and tells
 * their norm, and the Jacobian is a triangle, n by n, with Q'f in qtf. When
 * the trial point is accepted iter grows. */
void lm_proceed(LmState *state, const int *n, double *x, const double *fnorm,
                double *r, const int *ldr, double *diag, int *ipvt,
                double *qtf, double *step, double *trial, double *work,
                double *more, const int *isa, double *spare);

/* The norm of a vector. */
double qr_norm(int isa, int n, const double *x);

/* As lm_advance where the caller has factored the Jacobian: R is in fjac, the
 * norms of the Jacobian's columns in trial. */
void lm_resume(LmState *state, const int *n, double *x, double *fjac,
               const int *ldfjac, double *diag, const int *ipvt, double *qtf,
               double *step, double *trial, double *work, double *ftrial);

/* The n points where x is displaced for differences, and by how much. */
void lm_displace(const int *n, const double *x, const double *epsfcn,
                 double *points, double *steps);

/* The Jacobian in place of the residuals at those points. */
void lm_quotients(const int *m, const int *n, const double *fvec,
                  const double *steps, double *fjac);

/* How far x is displaced, variable by variable. */
void lm_steps(const int *n, const double *x, const double *epsfcn,
              double *steps);

/* As lm_quotients, but a triangle in r, n by n + 1, and what belongs to it in
 * qtf. `points` are n vectors. */
void lm_reduce(const int *isa, const int *m, const int *n,
               const double *const *points, const double *fvec,
               const double *steps, double *r, const int *ldr, double *qtf,
               double *spare);

double enorm_(const int *n, const double *x);

#endif /* PYMINPACK_BLOCKED */

#endif /* PYMINPACK_MINPACK_H */
