/* Residuals and Jacobian of a Gaussian peak on an offset, on 5 by 5 pixels, in
   the signature that pyminpack.compiled takes. p are the 25 counts, row by
   row; x are amplitude, x0, y0, width and offset.

   The exponential is that of a row times that of a column. benchmarks/loads.py
   computes the same in NumPy, each product in the same order. */

#include <math.h>

#define SIDE 5

int
gaussian(void *p, int m, int n, const double *x, double *fvec, double *fjac, int ldfjac, int iflag)
{
    const double *counts = p;
    const double amplitude = x[0], width = x[3], offset = x[4];
    const double s = 0.5 / (width * width), q = 2 * s, c = q / width;
    double dx[SIDE], dy[SIDE], ex[SIDE], ey[SIDE];

    (void)m, (void)n;
    for (int i = 0; i < SIDE; i++) {
        dx[i] = i - x[1];
        dy[i] = i - x[2];
        ex[i] = exp(dx[i] * dx[i] * -s);
        ey[i] = exp(dy[i] * dy[i] * -s);
    }
    for (int j = 0, k = 0; j < SIDE; j++) {
        for (int i = 0; i < SIDE; i++, k++) {
            const double e = ex[i] * ey[j], peak = amplitude * e;
            if (iflag == 1) {
                fvec[k] = peak + offset - counts[k];
                continue;
            }
            fjac[k] = e;
            fjac[k + ldfjac] = peak * dx[i] * q;
            fjac[k + 2 * ldfjac] = peak * dy[j] * q;
            fjac[k + 3 * ldfjac] = peak * (dx[i] * dx[i] + dy[j] * dy[j]) * c;
            fjac[k + 4 * ldfjac] = 1;
        }
    }
    return 0;
}
