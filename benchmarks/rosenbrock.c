/* Rosenbrock's function with its Jacobian, in the signature that
   pyminpack.compiled takes; the same sums as in floor.c. */

int
rosenbrock(void *p, int m, int n, const double *x, double *fvec, double *fjac, int ldfjac,
           int iflag)
{
    (void)p, (void)m, (void)n;
    if (iflag == 1) {
        fvec[0] = 10 * (x[1] - x[0] * x[0]);
        fvec[1] = 1 - x[0];
        return 0;
    }
    fjac[0] = -20 * x[0];
    fjac[1] = -1;
    fjac[ldfjac] = 10;
    fjac[ldfjac + 1] = 0;
    return 0;
}
