/* MINPACK hands the caller's `m` by reference to every FCN call. It is given &one->fit.m, so a
 * callback finds its fit from that address: there is no global, thread-local or closure, and fits
 * may nest and run in any number of threads. */
#include "argonne.h"

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "fit/finite.h"
#include "user/answers.h"

/* FCN of lmdif_: residuals at x to fvec. *iflag is 1, or 2 for a difference; set it negative to
 * stop the solver. */
typedef void residual_fcn(const int *m, const int *n, const double *x, double *fvec, int *iflag);

/* FCN of lmder_: *iflag 1 wants residuals in fvec, 2 the Jacobian in fjac. */
typedef void jacobian_fcn(const int *m, const int *n, const double *x, double *fvec, double *fjac,
                          const int *ldfjac, int *iflag);

void lmdif_(residual_fcn *fcn, const int *m, const int *n, double *x, double *fvec,
            const double *ftol, const double *xtol, const double *gtol, const int *maxfev,
            const double *epsfcn, double *diag, const int *mode, const double *factor,
            const int *nprint, int *info, int *nfev, double *fjac, const int *ldfjac, int *ipvt,
            double *qtf, double *wa1, double *wa2, double *wa3, double *wa4);

void lmder_(jacobian_fcn *fcn, const int *m, const int *n, double *x, double *fvec, double *fjac,
            const int *ldfjac, const double *ftol, const double *xtol, const double *gtol,
            const int *maxfev, double *diag, const int *mode, const double *factor,
            const int *nprint, int *info, int *nfev, int *njev, int *ipvt, double *qtf, double *wa1,
            double *wa2, double *wa3, double *wa4);

static One *
one_of(const int *m)
{
    return (One *)((char *)(uintptr_t)m - offsetof(One, fit) - offsetof(Fit, m));
}

/* Residuals at x to f: whether they are finite, or -1 where the fit is to end. */
static int
evaluate(One *one, const double *x, double *f, int iflag)
{
    one->fit.evaluations++;
    if (one->call.residuals != NULL) {
        return call_compiled(&one->call, one->fit.lm.n, x, f, iflag);
    }
    return call_residuals(&one->call, one->fit.lm.n, x, one->fit.m, f);
}

/* Residuals at the start: 0, or -1 where the fit is to end. */
static int
answer_start(One *one, const double *x, double *f)
{
    int finite = one->first_finite;

    if (one->call.residuals != NULL) {
        finite = evaluate(one, x, f, 1);
    }
    one->fit.not_finite = finite == 0;
    /* fit_stop has an eye on it. */
    one->fit.lm.request = finite < 0 ? LM_RESIDUAL : LM_TRIAL;
    return finite == 1 ? 0 : -1;
}

/* Residuals at a trial point: 0, or -1 where the fit is to end. */
static int
answer_trial(One *one, const double *x, double *f)
{
    Fit *fit = &one->fit;
    int finite;

    memcpy(fit->lm.trial, x, (size_t)fit->lm.n * sizeof(double));
    if (!finite_before_trial(fit)) {
        return -1;
    }
    finite = evaluate(one, x, f, 1);
    if (finite < 0) {
        return -1;
    }
    if (finite_after_trial(fit, finite) < 0) {
        gil_take(&one->call.gil);
        PyErr_NoMemory();
        return -1;
    }
    gil_leave_for(&one->call.gil, fit_work_of_step(fit));
    return 0;
}

static int
answer_residuals(One *one, const double *x, double *f)
{
    const int at_start = one->fit.lm.request == LM_RESIDUAL;
    int status = at_start ? answer_start(one, x, f) : answer_trial(one, x, f);

    if (status == 0) {
        memcpy(one->fit.lm.more, x, (size_t)one->fit.lm.n * sizeof(double));
    }
    return status;
}

/* One difference: 0, or -1 where the fit is to end. */
static int
answer_difference(One *one, const double *x, double *f)
{
    Fit *fit = &one->fit;

    if (evaluate(one, x, f, 2) < 0) {
        /* x is displaced, and the user's. */
        memcpy(fit->lm.x, fit->lm.more, (size_t)fit->lm.n * sizeof(double));
        return -1;
    }
    fit->fresh_jacobian = 1;
    return 0;
}

/* Python's Jacobian at x: 0, or -1 with an exception. */
static int
copy_jacobian(One *one, const double *x, double *fjac)
{
    Call *call = &one->call;
    PyObject *result = call_python(call, call->given->dfun, x, one->fit.lm.n);
    PyArrayObject *array;
    int status = -1;

    if (result == NULL) {
        return -1;
    }
    array = answers_jacobian(result, call->given->dfun, one->fit.m, one->fit.lm.n,
                             call->given->col_deriv);
    if (array != NULL) {
        Matrix matrix = answers_matrix_of(array, call->given->col_deriv);

        copy_matrix(&matrix, one->fit.m, one->fit.lm.n, fjac);
        status = 0;
    }
    Py_XDECREF(array);
    Py_DECREF(result);
    return status;
}

static int
answer_jacobian(One *one, const double *x, double *f, double *fjac)
{
    Fit *fit = &one->fit;
    int status;

    fit->jacobians++;
    status = one->call.derivatives != NULL
                 ? call_compiled_jacobian(&one->call, fit->lm.n, x, f, fjac)
                 : copy_jacobian(one, x, fjac);
    if (status == 0) {
        fit->fresh_jacobian = 1;
        gil_leave_for(&one->call.gil, fit_work_of_factors(fit));
    }
    return status;
}

static void
take_gil(One *one)
{
    if (!call_is_compiled(&one->call)) {
        gil_take(&one->call.gil);
    }
}

static void
difference_fcn(const int *m, const int *Py_UNUSED(n), const double *x, double *fvec, int *iflag)
{
    One *one = one_of(m);
    int status;

    take_gil(one);
    status = *iflag == 2 ? answer_difference(one, x, fvec) : answer_residuals(one, x, fvec);
    if (status < 0) {
        *iflag = -1;
    }
}

static void
derivative_fcn(const int *m, const int *Py_UNUSED(n), const double *x, double *fvec, double *fjac,
               const int *Py_UNUSED(ldfjac), int *iflag)
{
    One *one = one_of(m);
    int status;

    take_gil(one);
    status = *iflag == 2 ? answer_jacobian(one, x, fvec, fjac) : answer_residuals(one, x, fvec);
    if (status < 0) {
        *iflag = -1;
    }
}

int
argonne_run(One *one)
{
    const int nprint = 0;
    const Options *options = &one->call.given->options;
    Fit *fit = &one->fit;
    LmFit *lm = &fit->lm;
    int nfev, njev;

    if (one->call.given->dfun == NULL) {
        lmdif_(difference_fcn, &fit->m, &lm->n, lm->x, fit->f, &options->ftol, &options->xtol,
               &options->gtol, &options->maxfev, &options->epsfcn, lm->diag, &options->mode,
               &options->factor, &nprint, &lm->info, &nfev, fit->jacobian, &fit->m, lm->ipvt,
               lm->qtf, lm->acnorm, lm->step, lm->work, fit->f_trial);
    }
    else {
        lmder_(derivative_fcn, &fit->m, &lm->n, lm->x, fit->f, fit->jacobian, &fit->m,
               &options->ftol, &options->xtol, &options->gtol, &options->maxfev, lm->diag,
               &options->mode, &options->factor, &nprint, &lm->info, &nfev, &njev, lm->ipvt,
               lm->qtf, lm->acnorm, lm->step, lm->work, fit->f_trial);
    }
    if (fit->not_finite) {
        return 0;
    }
    return lm->info < 0 ? -1 : 0;
}
