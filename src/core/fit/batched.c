#include "fit/batched.h"

#include "kernels/kernels.h"
#include "kernels/tuning.h"

#ifdef PYMINPACK_BLOCKED

int
lanes_width(int isa, int m, int n)
{
    return (double)m * n > BATCHED_ELEMENTS ? 0 : batched_width(isa);
}

size_t
lanes_size(int width, int m, int n)
{
    size_t rows = (size_t)m;
    size_t columns = (size_t)n;

    /* An int is no larger than a double. */
    return (size_t)width * (rows * (columns + 1) + 4 * columns);
}

void
lanes_lay_out(Lanes *lanes, int width, int m, int n, double *memory)
{
    size_t row = (size_t)width * (size_t)n;
    void *rest;

    lanes->width = width;
    lanes->a = memory;
    lanes->rhs = lanes->a + row * (size_t)m;
    lanes->rdiag = lanes->rhs + (size_t)width * (size_t)m;
    lanes->acnorm = lanes->rdiag + row;
    lanes->wa = lanes->acnorm + row;
    rest = lanes->wa + row;
    lanes->ipvt = rest;
}

/* Vectors side by side: the elements of one index follow each other. */
static void
interleave(int width, ptrdiff_t size, const double *const from[LANES_MOST],
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

void
lanes_load(const Lanes *lanes, int m, int n,
           const double *const fjac[LANES_MOST],
           const double *const f[LANES_MOST])
{
    interleave(lanes->width, (ptrdiff_t)m * n, fjac, lanes->a);
    interleave(lanes->width, m, f, lanes->rhs);
}

int
lanes_factor(const Lanes *lanes, int isa, int m, int n)
{
    /* acnorm follows rdiag. */
    return batched_qr(isa, m, n, lanes->a, lanes->rhs, lanes->ipvt,
                      lanes->rdiag, lanes->wa);
}

void
lanes_store(const Lanes *lanes, int lane, int m, int n, double *fjac,
            double *qtf, double *acnorm, int *ipvt)
{
    ptrdiff_t width = lanes->width;

    for (ptrdiff_t j = 0; j < n; j++) {
        for (ptrdiff_t i = 0; i < j; i++) {
            fjac[j * m + i] = lanes->a[(j * m + i) * width + lane];
        }
        fjac[j * m + j] = lanes->rdiag[j * width + lane];
        qtf[j] = lanes->rhs[j * width + lane];
        acnorm[j] = lanes->acnorm[j * width + lane];
        ipvt[j] = lanes->ipvt[j * width + lane];
    }
}

#endif
