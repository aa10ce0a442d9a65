/* A C program as MINPACK-1 users write them: it declares the Fortran routines itself and knows
 * nothing of where they come from. It prints every result to the last bit. */
#include <math.h>
#include <stdio.h>

#define M 12
#define N 3

typedef void differences_fcn(int *m, int *n, double *x, double *fvec, int *iflag);
typedef void derivatives_fcn(int *m, int *n, double *x, double *fvec, double *fjac, int *ldfjac,
                             int *iflag);

extern void lmdif_(differences_fcn *fcn, int *m, int *n, double *x, double *fvec, double *ftol,
                   double *xtol, double *gtol, int *maxfev, double *epsfcn, double *diag, int *mode,
                   double *factor, int *nprint, int *info, int *nfev, double *fjac, int *ldfjac,
                   int *ipvt, double *qtf, double *wa1, double *wa2, double *wa3, double *wa4);
extern void lmdif1_(differences_fcn *fcn, int *m, int *n, double *x, double *fvec, double *tol,
                    int *info, int *iwa, double *wa, int *lwa);
extern void lmder1_(derivatives_fcn *fcn, int *m, int *n, double *x, double *fvec, double *fjac,
                    int *ldfjac, double *tol, int *info, int *ipvt, double *wa, int *lwa);
extern double enorm_(int *n, double *x);
extern double dpmpar_(int *i);

/* The decay b1*exp(-b2*t) + b3 at t = 0, 0.5, ..., with rounded ordinates. */
static const double decay[M] = {5.02, 4.21, 3.59, 3.07, 2.71, 2.37,
                                2.15, 1.93, 1.79, 1.66, 1.55, 1.47};

static void
residuals(int *m, int *n, double *x, double *fvec, int *iflag)
{
    (void)n;
    if (*iflag == 0) {
        printf("x = %a %a %a\n", x[0], x[1], x[2]);
        return;
    }
    for (int i = 0; i < *m; i++) {
        fvec[i] = x[0] * exp(-x[1] * 0.5 * i) + x[2] - decay[i];
    }
}

static void
residuals_or_jacobian(int *m, int *n, double *x, double *fvec, double *fjac, int *ldfjac,
                      int *iflag)
{
    if (*iflag == 1) {
        residuals(m, n, x, fvec, iflag);
        return;
    }
    for (int i = 0; i < *m; i++) {
        double e = exp(-x[1] * 0.5 * i);

        fjac[i] = e;
        fjac[i + *ldfjac] = -x[0] * 0.5 * i * e;
        fjac[i + 2 * *ldfjac] = 1.0;
    }
}

static void
print_fit(const char *routine, int info, double *x, double *fvec)
{
    int m = M;

    printf("%s info = %d x = %a %a %a |f| = %a\n", routine, info, x[0], x[1], x[2],
           enorm_(&m, fvec));
}

static void
run_lmdif(void)
{
    int m = M, n = N, maxfev = 400, mode = 2, nprint = 2, ldfjac = M;
    int info, nfev, ipvt[N];
    double ftol = 1e-10, xtol = 1e-10, gtol = 0.0, epsfcn = 1e-13;
    double factor = 10.0, diag[N] = {1.0, 10.0, 2.0}, x[N] = {1.0, 1.0, 0.0};
    double fvec[M], fjac[M * N], qtf[N], wa1[N], wa2[N], wa3[N], wa4[M];

    lmdif_(residuals, &m, &n, x, fvec, &ftol, &xtol, &gtol, &maxfev, &epsfcn, diag, &mode, &factor,
           &nprint, &info, &nfev, fjac, &ldfjac, ipvt, qtf, wa1, wa2, wa3, wa4);
    print_fit("lmdif", info, x, fvec);
    printf("nfev = %d ipvt = %d %d %d qtf = %a %a %a\n", nfev, ipvt[0], ipvt[1], ipvt[2], qtf[0],
           qtf[1], qtf[2]);
}

static void
run_easy_drivers(void)
{
    int m = M, n = N, ldfjac = M, lwa = M * N + 5 * N + M, info, ipvt[N];
    int which = 1;
    double tol = sqrt(dpmpar_(&which)), fvec[M], fjac[M * N];
    double wa[M * N + 5 * N + M], x[N] = {1.0, 1.0, 0.0};

    lmdif1_(residuals, &m, &n, x, fvec, &tol, &info, ipvt, wa, &lwa);
    print_fit("lmdif1", info, x, fvec);

    x[0] = x[1] = 1.0;
    x[2] = 0.0;
    lmder1_(residuals_or_jacobian, &m, &n, x, fvec, fjac, &ldfjac, &tol, &info, ipvt, wa, &lwa);
    print_fit("lmder1", info, x, fvec);
}

int
main(void)
{
    run_lmdif();
    run_easy_drivers();
    return 0;
}
