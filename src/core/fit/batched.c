#include "fit/batched.h"

#include <stddef.h>

int lane_qr(int m, int n, double *a, double *rhs, int *ipvt, double *rdiag,
            double *acnorm, double *wa);
int lane_qr_avx2(int m, int n, double *a, double *rhs, int *ipvt,
                 double *rdiag, double *acnorm, double *wa);

/* Elements of a Jacobian up to which a group stays in a near cache. */
#define NEAR 4096

int
batched_width(int isa, int m, int n)
{
    if ((double)m * n > NEAR) {
        return 0;
    }
#ifdef HAVE_X86_VARIANTS
    if (isa > 0) {
        return 4;
    }
#endif
    (void)isa;
    return 2;
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
    batched->rdiag = batched->rhs + (size_t)width * (size_t)m;
    batched->acnorm = batched->rdiag + row;
    batched->wa = batched->acnorm + row;
    rest = batched->wa + row;
    batched->ipvt = rest;
}

/* Vectors side by side: the elements of one index follow each other. */
static void
interleave(int width, ptrdiff_t size, const double *const from[BATCHED_MOST],
           double *to)
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

/* The Jacobians as they are; those of differences are made on the way, so that
 * a group that cannot be factored is as it was. */
static void
load(const Batched *batched, int differences)
{
    const double *jacobians[BATCHED_MOST], *residuals[BATCHED_MOST];
    const Fit *fit = batched->group[0];

    for (int i = 0; i < batched->width; i++) {
        jacobians[i] = batched->group[i]->jacobian;
        residuals[i] = batched->group[i]->f;
    }
    if (!differences) {
        interleave(batched->width, (ptrdiff_t)fit->m * fit->lm.n, jacobians,
                   batched->a);
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

    for (ptrdiff_t j = 0; j < lm->n; j++) {
        for (ptrdiff_t i = 0; i < j; i++) {
            lm->r[j * m + i] = batched->a[(j * m + i) * width + place];
        }
        lm->r[j * m + j] = batched->rdiag[j * width + place];
        lm->qtf[j] = batched->rhs[j * width + place];
        lm->acnorm[j] = batched->acnorm[j * width + place];
        lm->ipvt[j] = batched->ipvt[j * width + place];
    }
}

static int
factor(const Batched *batched, int m, int n)
{
#ifdef HAVE_X86_VARIANTS
    if (batched->width == 4) {
        return lane_qr_avx2(m, n, batched->a, batched->rhs, batched->ipvt,
                            batched->rdiag, batched->acnorm, batched->wa);
    }
#endif
    return lane_qr(m, n, batched->a, batched->rhs, batched->ipvt,
                   batched->rdiag, batched->acnorm, batched->wa);
}

int
batched_factor(const Batched *batched, int differences)
{
    const Fit *fit = batched->group[0];

    load(batched, differences);
    if (!factor(batched, fit->m, fit->lm.n)) {
        return 0;
    }
    for (int i = 0; i < batched->width; i++) {
        store(batched, i);
    }
    return 1;
}
