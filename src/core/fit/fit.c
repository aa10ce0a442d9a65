#include "fit/fit.h"

#include <math.h>
#include <string.h>

#include "fit/finite.h"

void
fit_shape(Fit *fit, int m, int n, int isa)
{
    fit->m = m;
    fit->lm.n = n;
    fit->lm.isa = isa;
    fit->lm.ldr = isa < 0 ? m : qr_lead(n);
}

/* The vectors of fit_lay_out. An int is no larger than a double. */
enum { VECTORS = 9 };

size_t
fit_size(const Fit *fit)
{
    size_t n = (size_t)fit->lm.n;

    return VECTORS * n + (fit->lm.isa < 0 ? 0 : (size_t)fit->lm.ldr * (n + 1));
}

double *
fit_lay_out(Fit *fit, double *memory)
{
    LmFit *lm = &fit->lm;
    double **const vectors[] = {&lm->diag,  &lm->qtf,  &lm->acnorm, &lm->step,
                                &lm->trial, &lm->work, &lm->more,   &fit->steps};

    for (int i = 0; i < VECTORS - 1; i++) {
        *vectors[i] = memory;
        memory += lm->n;
    }
    lm->ipvt = (void *)memory;
    memory += lm->n;
    if (lm->isa >= 0) {
        lm->r = memory;
        memory += (size_t)lm->ldr * ((size_t)lm->n + 1);
    }
    return memory;
}

void
fit_begin(Fit *fit, const Options *options, int differences)
{
    LmFit *lm = &fit->lm;

    lm->ftol = options->ftol;
    lm->xtol = options->xtol;
    lm->gtol = options->gtol;
    lm->factor = options->factor;
    lm->maxfev = options->maxfev;
    lm->mode = options->mode;
    lm->jacobian_cost = differences ? lm->n : 0;
    fit->evaluations = 0;
    fit->jacobians = 0;
    fit->factored = 0;
    fit->saved = 0;
    fit->fresh_jacobian = 0;
    fit->not_finite = 0;
    fit->strayed = 0;
    lm_begin(lm, fit->m);
}

void
fit_clear(Fit *fit)
{
    PyMem_RawFree(fit->last_finite);
    fit->last_finite = NULL;
}

int
fit_may_try(Fit *fit)
{
    if (!finite_before_trial(fit)) {
        fit->lm.request = LM_FINISHED;
        return 0;
    }
    return 1;
}

int
fit_take_residuals(Fit *fit, double norm, int finite)
{
    const int iter = fit->lm.iter;

    if (fit->lm.request == LM_RESIDUAL) {
        fit->not_finite = !finite;
    }
    else if (finite_after_trial(fit, finite) < 0) {
        return -1;
    }
    if (fit->not_finite) {
        fit->lm.request = LM_FINISHED;
        return 0;
    }
    lm_advance(&fit->lm, norm);
    if (fit->lm.iter != iter) {
        double *before = fit->f;

        fit->f = fit->f_trial;
        fit->f_trial = before;
    }
    return 0;
}

void
fit_take_factors(Fit *fit)
{
    fit->factored = 1;
    fit->fresh_jacobian = 1;
    lm_advance(&fit->lm, 0.0);
}

void
fit_displace(const Fit *fit, npy_intp variable, double *point)
{
    memcpy(point, fit->lm.x, (size_t)fit->lm.n * sizeof(double));
    point[variable] += fit->steps[variable];
}

void
fit_stop(Fit *fit, int status)
{
    if (fit->lm.request == LM_RESIDUAL) {
        for (npy_intp i = 0; i < fit->m; i++) {
            fit->f[i] = NAN; /* whatever was written there */
        }
    }
    (void)finite_restore(fit);
    fit->lm.info = status;
    fit->lm.request = LM_FINISHED;
}

void
fit_finish(Fit *fit)
{
    if ((fit->lm.info > 0 || fit->not_finite) && !finite_verdict(fit)) {
        fit->lm.info = INFO_NOT_FINITE;
    }
}
