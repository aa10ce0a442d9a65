/* The decay of dask_stack.py in C, in the signature that pyminpack.compiled takes: x is the height
 * and the decay time, and at p are m times, then the m signals of a pixel. */
#include <math.h>

int
decay(void *p, int m, int n, const double *x, double *fvec, double *fjac, int ldfjac, int iflag)
{
    const double *time = p, *signal = time + m;

    for (int i = 0; i < m; i++) {
        double e = exp(-time[i] / x[1]);

        if (iflag == 1) {
            fvec[i] = x[0] * e - signal[i];
        }
        else {
            fjac[i] = e;
            fjac[i + ldfjac] = x[0] * e * time[i] / (x[1] * x[1]);
        }
    }
    return 0;
}
