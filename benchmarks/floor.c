/* Fits by an installed MINPACK-1, with the residuals in C: what a fit costs
   without any Python.

   benchmarks/native.py compiles this, fills `struct fit` and calls
   fit_seconds. The functions find their data by the address of m, which
   MINPACK hands through. */

#include <math.h>
#include <stddef.h>
#include <string.h>
#include <time.h>

#include "../src/core/minpack.h"

struct fit {
    int m, n, kind, derivatives, maxfev;
    int info, nfev, njev;
    double ftol, xtol, gtol, epsfcn, factor;
    /* The arrays of the problem, as benchmarks/problems.py lists them. */
    const double *data[3];
    const double *x0; /* n */
    double *x;        /* n */
    double *fvec;     /* m */
    double *fjac;     /* m by n, by columns */
    double *work;     /* 5 n + m */
    int *ipvt;        /* n */
};

static void
identity(const struct fit *fit, const double *x, double *f)
{
    memcpy(f, x, (size_t)fit->n * sizeof(*f));
}

static void
rosenbrock(const struct fit *fit, const double *x, double *f)
{
    (void)fit;
    f[0] = 10 * (x[1] - x[0] * x[0]);
    f[1] = 1 - x[0];
}

static void
rosenbrock_jacobian(const struct fit *fit, const double *x, double *j)
{
    (void)fit;
    j[0] = -20 * x[0];
    j[1] = -1;
    j[2] = 10;
    j[3] = 0;
}

static void
exponential(const struct fit *fit, const double *x, double *f)
{
    const double *t = fit->data[0], *y = fit->data[1];
    for (int i = 0; i < fit->m; i++) {
        f[i] = x[0] * exp(-x[1] * t[i]) + x[2] - y[i];
    }
}

static void
powell(const struct fit *fit, const double *x, double *f)
{
    (void)fit;
    f[0] = x[0] + 10 * x[1];
    f[1] = sqrt(5.0) * (x[2] - x[3]);
    f[2] = (x[1] - 2 * x[2]) * (x[1] - 2 * x[2]);
    f[3] = sqrt(10.0) * (x[0] - x[3]) * (x[0] - x[3]);
}

static void
table(const struct fit *fit, const double *x, double *f)
{
    memcpy(f, fit->data[x[0] == fit->x0[0] ? 0 : 1], (size_t)fit->m * sizeof(*f));
}

static void
table_jacobian(const struct fit *fit, const double *x, double *j)
{
    (void)x;
    memcpy(j, fit->data[2], (size_t)fit->m * (size_t)fit->n * sizeof(*j));
}

/* tanh(A x), A by columns */
static void
tanh_of_product(const struct fit *fit, const double *x, double *f)
{
    const double *column = fit->data[0];
    memset(f, 0, (size_t)fit->m * sizeof(*f));
    for (int j = 0; j < fit->n; j++, column += fit->m) {
        for (int i = 0; i < fit->m; i++) {
            f[i] += column[i] * x[j];
        }
    }
    for (int i = 0; i < fit->m; i++) {
        f[i] = tanh(f[i]);
    }
}

static void
tanh_residuals(const struct fit *fit, const double *x, double *f)
{
    tanh_of_product(fit, x, f);
    for (int i = 0; i < fit->m; i++) {
        f[i] -= fit->data[1][i];
    }
}

static void
tanh_jacobian(const struct fit *fit, const double *x, double *jacobian)
{
    const double *column = fit->data[0];
    double *slopes = fit->work + 5 * fit->n;
    tanh_of_product(fit, x, slopes);
    for (int i = 0; i < fit->m; i++) {
        slopes[i] = 1 - slopes[i] * slopes[i];
    }
    for (int j = 0; j < fit->n; j++, column += fit->m, jacobian += fit->m) {
        for (int i = 0; i < fit->m; i++) {
            jacobian[i] = column[i] * slopes[i];
        }
    }
}

typedef void function_of_x(const struct fit *, const double *x, double *out);

/* In the order of benchmarks/native.py. */
static function_of_x *const residuals[] = {identity, rosenbrock, exponential,
                                           powell,   table,      tanh_residuals};
static function_of_x *const jacobians[] = {NULL, rosenbrock_jacobian, NULL,
                                           NULL, table_jacobian,      tanh_jacobian};

static const struct fit *
fit_of(const int *m)
{
    return (const struct fit *)((const char *)m - offsetof(struct fit, m));
}

static void
for_differences(const int *m, const int *n, const double *x, double *fvec, int *iflag)
{
    (void)n, (void)iflag;
    residuals[fit_of(m)->kind](fit_of(m), x, fvec);
}

static void
for_derivatives(const int *m, const int *n, const double *x, double *fvec, double *fjac,
                const int *ldfjac, int *iflag)
{
    (void)n, (void)ldfjac;
    if (*iflag == 1) {
        residuals[fit_of(m)->kind](fit_of(m), x, fvec);
    }
    else {
        jacobians[fit_of(m)->kind](fit_of(m), x, fjac);
    }
}

static void
solve(struct fit *fit)
{
    const int mode = 1, nprint = 0, n = fit->n;
    double *diag = fit->work, *qtf = diag + n, *wa1 = qtf + n, *wa2 = wa1 + n, *wa3 = wa2 + n;
    double *wa4 = wa3 + n;

    memcpy(fit->x, fit->x0, (size_t)n * sizeof(*fit->x));
    if (fit->derivatives) {
        lmder_(for_derivatives, &fit->m, &n, fit->x, fit->fvec, fit->fjac, &fit->m, &fit->ftol,
               &fit->xtol, &fit->gtol, &fit->maxfev, diag, &mode, &fit->factor, &nprint, &fit->info,
               &fit->nfev, &fit->njev, fit->ipvt, qtf, wa1, wa2, wa3, wa4);
    }
    else {
        lmdif_(for_differences, &fit->m, &n, fit->x, fit->fvec, &fit->ftol, &fit->xtol, &fit->gtol,
               &fit->maxfev, &fit->epsfcn, diag, &mode, &fit->factor, &nprint, &fit->info,
               &fit->nfev, fit->fjac, &fit->m, fit->ipvt, qtf, wa1, wa2, wa3, wa4);
    }
}

/* Solve `repeats` times; return the seconds that took. */
double
fit_seconds(struct fit *fit, int repeats)
{
    struct timespec begin, end;
    clock_gettime(CLOCK_MONOTONIC, &begin);
    for (int i = 0; i < repeats; i++) {
        solve(fit);
    }
    clock_gettime(CLOCK_MONOTONIC, &end);
    return (double)(end.tv_sec - begin.tv_sec) + 1e-9 * (double)(end.tv_nsec - begin.tv_nsec);
}
