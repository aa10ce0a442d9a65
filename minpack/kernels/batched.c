#include "kernels.h"

#include "operations.h"

#ifdef HAVE_X86_VARIANTS
/* batched_qr.c compiled for AVX2. Vectors of eight are no faster. */
int kernel_batched_qr_avx2(int m, int n, double *a, double *rhs, int *ipvt, double *norms,
                           double *work);
#endif

int
batched_width(int isa)
{
#ifdef HAVE_X86_VARIANTS
    if (isa > 0) {
        return BATCHED_MOST;
    }
#endif
    (void)isa;
    return 2;
}

int
batched_qr(int isa, int m, int n, double *a, double *rhs, int *ipvt, double *norms, double *work)
{
#ifdef HAVE_X86_VARIANTS
    if (isa > 0) {
        return kernel_batched_qr_avx2(m, n, a, rhs, ipvt, norms, work);
    }
#endif
    (void)isa;
    return kernel_batched_qr(m, n, a, rhs, ipvt, norms, work);
}
