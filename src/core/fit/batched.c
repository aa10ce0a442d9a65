#include "fit/batched.h"

#include <stddef.h>

#include "kernels/tuning.h"

int
batched_together(int isa, int m, int n)
{
    return (double)m * n > BATCHED_ELEMENTS ? 0 : batched_width(isa);
}

size_t
batched_size(int width, int m, int n)
{
    size_t rows = (size_t)m;
    size_t columns = (size_t)n;

    /* An int is no larger than a double. */
    return (size_t)width * (rows * (columns + 1) + 4 * columns);
}

void
batched_lay_out(Batched *batched, int width, int m, int n, double *memory)
{
    size_t row = (size_t)width * (size_t)n;
    void *rest;

    batched->width = width;
    batched->a = memory;
    batched->rhs = batched->a + row * (size_t)m;
    batched->norms = batched->rhs + (size_t)width * (size_t)m;
    batched->work = batched->norms + 2 * row;
    rest = batched->work + row;
    batched->ipvt = rest;
}

/* Vectors side by side: the elements of one index follow each other. */
static void
interleave(int width, ptrdiff_t size, const double *const from[BATCHED_MOST], double *to)
{
    if (width == 4) { /* written in full, so that the compiler sees it */
        for (ptrdiff_t i = 0; i < size; i++) {
            to[4 * i] = from[0][i];
            to[4 * i + 1] = from[1][i];
            to[4 * i + 2] = from[2][i];
            to[4 * i + 3] = from[3][i];
        }
        return;
    }
    for (ptrdiff_t i = 0; i < size; i++) {
        to[2 * i] = from[0][i];
        to[2 * i + 1] = from[1][i];
    }
}

/* Quotients of differences side by side: (from - f) / step. */
static void
interleave_quotients(const Batched *batched, npy_intp column)
{
    const int width = batched->width, m = batched->group[0]->m;
    double *to = batched->a + column * m * width;

    for (int k = 0; k < width; k++) {
        const Fit *fit = batched->group[k];
        const double *from = fit->jacobian + column * m;
        const double step = fit->steps[column];

        for (npy_intp i = 0; i < m; i++) {
            to[i * width + k] = (from[i] - fit->f[i]) / step;
        }
    }
}

/* The Jacobians as they are; those of differences are made on the way, so that a group that cannot
 * be factored is as it was. */
static void
load(const Batched *batched, int differences)
{
    const double *jacobians[BATCHED_MOST], *residuals[BATCHED_MOST];
    const Fit *fit = batched->group[0];

    for (int i = 0; i < BATCHED_MOST; i++) {
        const Fit *each = batched->group[i < batched->width ? i : 0];

        jacobians[i] = each->jacobian;
        residuals[i] = each->f;
    }
    if (!differences) {
        interleave(batched->width, (ptrdiff_t)fit->m * fit->lm.n, jacobians, batched->a);
    }
    for (npy_intp j = 0; differences && j < fit->lm.n; j++) {
        interleave_quotients(batched, j);
    }
    interleave(batched->width, fit->m, residuals, batched->rhs);
}

/* R to the upper triangle of a fit's own, and the rest to where it belongs. */
static void
store(const Batched *batched, int place)
{
    LmFit *lm = &batched->group[place]->lm;
    const ptrdiff_t width = batched->width, m = lm->ldr;
    const double *rdiag = batched->norms;
    const double *acnorm = rdiag + width * lm->n;

    for (ptrdiff_t j = 0; j < lm->n; j++) {
        for (ptrdiff_t i = 0; i < j; i++) {
            lm->r[j * m + i] = batched->a[(j * m + i) * width + place];
        }
        lm->r[j * m + j] = rdiag[j * width + place];
        lm->qtf[j] = batched->rhs[j * width + place];
        lm->acnorm[j] = acnorm[j * width + place];
        lm->ipvt[j] = batched->ipvt[j * width + place];
    }
}

int
batched_factor(const Batched *batched, int differences)
{
    const Fit *fit = batched->group[0];

    load(batched, differences);
    if (!batched_qr(batched->isa, fit->m, fit->lm.n, batched->a, batched->rhs, batched->ipvt,
                    batched->norms, batched->work)) {
        return 0;
    }
    for (int i = 0; i < batched->width; i++) {
        store(batched, i);
    }
    return 1;
}
