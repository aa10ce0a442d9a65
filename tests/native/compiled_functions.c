/* What a user of pyminpack.compiled may write: residuals of b1*exp(-b2*t) + b3
 * with the data t, y, one behind the other, and functions that tell what they
 * are called with. Called from Python by their names. */
#define _POSIX_C_SOURCE 200809L
#include <math.h>
#include <stddef.h>
#include <time.h>

#ifdef _WIN32
#define EXPORT __declspec(dllexport)
#else
#define EXPORT
#endif

EXPORT int decay(void *p, int m, int n, const double *x, double *fvec,
                 int iflag);
EXPORT int decay_combined(void *p, int m, int n, const double *x, double *fvec,
                          double *fjac, int ldfjac, int iflag);
EXPORT int tell(void *p, int m, int n, const double *x, double *fvec,
                int iflag);
EXPORT int tell_combined(void *p, int m, int n, const double *x, double *fvec,
                         double *fjac, int ldfjac, int iflag);
EXPORT int refuse_far(void *p, int m, int n, const double *x, double *fvec,
                      int iflag);
EXPORT int refuse_jacobian(void *p, int m, int n, const double *x,
                           double *fvec, double *fjac, int ldfjac, int iflag);
EXPORT int add_up(void *p, int m, int n, const double *x, double *fvec,
                  int iflag);
EXPORT int wait_for_thread(void *p, int m, int n, const double *x,
                           double *fvec, int iflag);

int
decay(void *p, int m, int n, const double *x, double *fvec, int iflag)
{
    const double *t = p, *y = t + m;

    (void)n, (void)iflag;
    for (int i = 0; i < m; i++) {
        fvec[i] = x[0] * exp(-x[1] * t[i]) + x[2] - y[i];
    }
    return 0;
}

int
decay_combined(void *p, int m, int n, const double *x, double *fvec,
               double *fjac, int ldfjac, int iflag)
{
    const double *t = p;

    if (iflag == 1) {
        return decay(p, m, n, x, fvec, iflag);
    }
    for (int i = 0; i < m; i++) {
        double e = exp(-x[1] * t[i]);

        fjac[i] = e;
        fjac[i + ldfjac] = -x[0] * t[i] * e;
        fjac[i + 2 * ldfjac] = 1.0;
    }
    return 0;
}

/* fvec becomes: whether p is NULL, m, n, iflag; the rest is left alone. */
int
tell(void *p, int m, int n, const double *x, double *fvec, int iflag)
{
    (void)x;
    fvec[0] = p == NULL;
    fvec[1] = m;
    fvec[2] = n;
    fvec[3] = iflag;
    return 1;
}

/* The same, and whether fjac is NULL, ldfjac and -1; with iflag 2 all of that
 * goes to fjac, with what is in fvec[6] in place of -1. */
int
tell_combined(void *p, int m, int n, const double *x, double *fvec,
              double *fjac, int ldfjac, int iflag)
{
    double *out = iflag == 2 ? fjac : fvec;

    tell(p, m, n, x, out, iflag);
    out[4] = fjac == NULL;
    out[5] = ldfjac;
    out[6] = iflag == 2 ? fvec[6] : -1.0;
    return 1;
}

int
refuse_far(void *p, int m, int n, const double *x, double *fvec, int iflag)
{
    (void)p, (void)n, (void)iflag;
    for (int i = 0; i < m; i++) {
        fvec[i] = x[0];
    }
    return x[0] > 10.0 ? -7 : 0;
}

int
refuse_jacobian(void *p, int m, int n, const double *x, double *fvec,
                double *fjac, int ldfjac, int iflag)
{
    (void)fjac, (void)ldfjac;
    return iflag == 1 ? refuse_far(p, m, n, x, fvec, iflag) : -3;
}

/* fvec becomes x, and x is added to the data. */
int
add_up(void *p, int m, int n, const double *x, double *fvec, int iflag)
{
    (void)m, (void)iflag;
    for (int i = 0; i < n; i++) {
        ((double *)p)[i] += x[i];
        fvec[i] = x[i];
    }
    return 0;
}

/* Returns when another thread has changed the first of the data, or refuses
 * after half a minute. */
int
wait_for_thread(void *p, int m, int n, const double *x, double *fvec,
                int iflag)
{
    const volatile double *data = p;
    const struct timespec millisecond = {0, 1000000};

    (void)m, (void)n, (void)iflag;
    ((double *)p)[1] = 1.0;
    for (int i = 0; i < 30000; i++) {
        if (data[0] != 0.0) {
            fvec[0] = x[0];
            return 0;
        }
        nanosleep(&millisecond, NULL);
    }
    return -1;
}
